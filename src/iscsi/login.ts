/** The login phase of one connection (RFC 7143 6.3): stages, names, keys; it ends in `LoggedIn` or in a LoginError. */

import { admitInitiator, whyAccessEnded, whyDisabled, whyFenced, whyUnlisted } from '../target/access.ts';
import type { FabricState, NodeAcl, Portal, Tpg } from '../target/target.ts';
import type { Values } from '../wire/layout.ts';
import { type Pair, parseText, printText } from '../wire/text.ts';
import { isLocalName } from './attributes.ts';
import { Authentication } from './authentication.ts';
import { type Credentials, credentialsOf, discoveryCredentials } from './credentials.ts';
import { defaultParameters, isSecurityKey, type NegotiatedParameters } from './keys.ts';
import { loginRequestsMax, loginSegmentBytesMax, textBytesMax, textPairsMax } from './limits.ts';
import { Negotiation } from './negotiation.ts';
import type { loginRequest } from './pdu.ts';
import { LoginError, loginStatus } from './protocol-error.ts';
import { drainOf, redirectionOf } from './redirection.ts';

export type LoginRequest = Values<(typeof loginRequest)['fields']>;

/** The stages (RFC 7143 11.13.3). */
const security = 0;
const operational = 1;
const fullFeature = 3;

/** A session that a further connection wants to join, as login sees it. */
export interface JoinableSession {
  readonly isid: string;
  readonly initiatorName: string;
  readonly tpg: Tpg | undefined;
  readonly parameters: NegotiatedParameters;
  readonly acl: NodeAcl | undefined;
  /** Whether the session has ended. */
  readonly ended: boolean;
  /** Whether a connection with this CID may join the session; a connection that has the CID now is replaced. */
  mayJoin(cid: number): boolean;
}

/** The surroundings of a login. */
export interface LoginContext<S extends JoinableSession> {
  readonly state: FabricState;
  /** The address and port that the connection came to, as `printPortal` has them. */
  readonly portal: string;
  /** The initiator's address, without brackets. */
  readonly address: string;
  /** The TPGs behind that portal. */
  tpgs(): readonly Tpg[];
  /** The portal of a TPG that the connection came through. */
  portalOf(tpg: Tpg): Portal | undefined;
  /** Whether the targets are served here. Otherwise a login only finds out which one is meant. */
  readonly servesTargets: boolean;
  session(tsih: number): S | undefined;
  /** The clock on the wall, in milliseconds since 1970. */
  date(): number;
  random(bytes: number): Uint8Array;
}

/** A login that succeeded. */
export interface LoggedIn<S extends JoinableSession> {
  readonly type: 'Normal' | 'Discovery';
  readonly initiatorName: string;
  readonly initiatorAlias: string;
  /** The ISID: 12 hexadecimal digits. */
  readonly isid: string;
  /** The identity, which no two sessions share: initiator name, ISID and portal group (RFC 7143 4.4.3, 7.4.2). */
  readonly identity: string;
  readonly cid: number;
  /** The TPG of a normal session. */
  readonly tpg: Tpg | undefined;
  readonly acl: NodeAcl | undefined;
  readonly authenticated: boolean;
  /** The owner of the old secret by which the initiator proved itself; undefined: it used none. */
  readonly oldSecretOf: string | undefined;
  readonly parameters: NegotiatedParameters;
  /** The session that the connection joins. */
  readonly session: S | undefined;
  /** Called in the moment in which the session is made: checks that the facts that the login stands on are so still. @throws LoginError */
  confirm(): void;
}

/** The answer to a Login Request. */
export interface LoginAnswer<S extends JoinableSession> {
  readonly transit: boolean;
  readonly currentStage: number;
  readonly nextStage: number;
  readonly pairs: readonly Pair[];
  readonly loggedIn?: LoggedIn<S>;
}

const initiatorError = (message: string) => new LoginError(loginStatus.initiatorError, message);
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
/** RFC 7143 4.2.7.1: a name has at most 223 bytes. Its other rules are not checked: names are only compared. */
const isName = (text: string): boolean => /^[^\s\x00-\x1f=,]+$/.test(text) && Buffer.byteLength(text) <= 223;

/** The names of the first request. */
interface Identity<S extends JoinableSession> {
  readonly request: LoginRequest;
  readonly discovery: boolean;
  readonly initiatorName: string;
  readonly initiatorAlias: string;
  readonly tpg: Tpg | undefined;
  /** The text for the portal group in the session's identity. */
  readonly place: string;
  readonly acl: NodeAcl | undefined;
  readonly session: S | undefined;
  /** The proof that the initiator was asked for, as a text. */
  readonly asked: string;
  readonly authentication: Authentication;
  readonly negotiation: Negotiation;
}

/** The login phase of one connection. */
export class Login<S extends JoinableSession> {
  readonly #context: LoginContext<S>;
  #requests = 0;
  #stage: number | undefined;
  #text: Uint8Array = new Uint8Array();
  #identity: Identity<S> | undefined;
  /** Initiator and target as the first request names them: for the log only, since neither is proved. */
  claims: { readonly initiator?: string; readonly target?: string } = {};

  constructor(context: LoginContext<S>) {
    this.#context = context;
  }

  /** The TPG that is being logged in to, once that is known. */
  get tpg(): Tpg | undefined {
    return this.#identity?.tpg;
  }

  /** Takes one request with its text. @returns its answer, or the TPG whose loop has to answer it. @throws LoginError */
  receive(request: LoginRequest, text: Uint8Array): LoginAnswer<S> | { readonly elsewhere: Tpg } {
    this.confirm();
    this.#requests += 1;
    if (this.#requests > loginRequestsMax) throw initiatorError('too many login requests');
    this.#checkHeader(request);
    if (this.#text.length + text.length > textBytesMax) throw initiatorError('too much login text');
    this.#text = Buffer.concat([this.#text, text]);
    if (request.continue) return this.#answer(request, false, []);

    const pairs = parseText(this.#text, textPairsMax);
    this.#text = new Uint8Array();
    if (typeof pairs === 'string') throw initiatorError(`login text: ${pairs}`);
    const first = this.#identity === undefined;
    const identity = this.#identity ?? this.#identify(request, new Map(pairs));
    if ('elsewhere' in identity) return identity;
    this.#identity = identity;
    const answers = first ? this.#introduce(identity) : [];
    return this.#stage === security
      ? this.#secure(request, identity, pairs, answers)
      : this.#operate(request, identity, pairs, answers);
  }

  /**
   * Checks again the facts on which the first request was answered: the tree may have changed between two requests of a login, or while
   * the login waits for the session that it replaces to end. @throws LoginError
   */
  confirm(): void {
    const who = this.#identity;
    if (!who) return;
    const { tpg, acl, session, initiatorName } = who;
    // An initiator that has the new credentials logs in again with them.
    if (printed(this.#credentials(tpg, acl)) !== who.asked)
      throw new LoginError(loginStatus.serviceUnavailable, 'what has to be proven changed during the login');
    if (!tpg) return;
    const { state, tpgs, address, date } = this.#context;
    const why = whyAccessEnded(state, { initiatorName, addresses: [address], tpg, acl }, date());
    if (!state.targets.has(tpg.target.wwn)) throw new LoginError(loginStatus.notFound, `${tpg.path} was deleted`);
    if (!tpg.enabled || !tpgs().includes(tpg))
      throw new LoginError(loginStatus.serviceUnavailable, why ?? `${tpg.path} is not behind this portal any more`);
    this.#refuseFenced(tpg, initiatorName);
    if (why) throw new LoginError(loginStatus.authorizationFailure, why);
    this.#refuseDrained(tpg);
    if (session) confirmSession(session, acl, who.request.cid);
  }

  /** A fence ends by itself: the initiator may try again, as Linux does. @throws LoginError */
  #refuseFenced(tpg: Tpg, initiatorName: string): void {
    const fenced = whyFenced(tpg, initiatorName, this.#context.date());
    if (fenced !== undefined) throw new LoginError(loginStatus.serviceUnavailable, fenced);
  }

  /** @throws LoginError where the connection came through a portal that is drained */
  #refuseDrained(tpg: Tpg): void {
    const drained = drainOf(tpg, this.#context.portalOf(tpg));
    if (drained) throw drained;
  }

  #credentials(tpg: Tpg | undefined, acl: NodeAcl | undefined): Credentials {
    const { state, date } = this.#context;
    return tpg ? credentialsOf(state, tpg, acl, date()) : discoveryCredentials(state, date());
  }

  /** RFC 7143 11.12: checks the header, and that fields which may not change from one request to the next have not. */
  #checkHeader(request: LoginRequest): void {
    const first = this.#identity?.request;
    if (request.versionMin > 0) throw new LoginError(loginStatus.unsupportedVersion, 'version 0 is not offered');
    if (request.transit && request.continue) throw initiatorError('T and C in one login request');
    this.#stage ??= request.currentStage;
    const { currentStage, nextStage, transit } = request;
    if (currentStage !== this.#stage || (currentStage !== security && currentStage !== operational))
      throw initiatorError(`login stage ${currentStage}`);
    if (transit && (nextStage <= currentStage || (nextStage !== operational && nextStage !== fullFeature)))
      throw initiatorError(`login from stage ${currentStage} to ${nextStage}`);
    if (first && (hex(first.isid) !== hex(request.isid) || first.tsih !== request.tsih || first.cid !== request.cid))
      throw initiatorError('ISID, TSIH or CID changed during login');
  }

  /** RFC 7143 6.3.1: names and session type stand in the first request. @throws LoginError */
  #identify(request: LoginRequest, pairs: ReadonlyMap<string, string>): Identity<S> | { readonly elsewhere: Tpg } {
    const { random, portal, servesTargets } = this.#context;
    const initiatorName = pairs.get('InitiatorName')?.toLowerCase();
    if (initiatorName === undefined) throw new LoginError(loginStatus.missingParameter, 'no InitiatorName');
    if (!isName(initiatorName)) throw initiatorError('InitiatorName is no iSCSI name');
    this.claims = { initiator: initiatorName };
    const type = pairs.get('SessionType') ?? 'Normal';
    if (type !== 'Normal' && type !== 'Discovery')
      throw new LoginError(loginStatus.sessionTypeNotSupported, `SessionType ${type}`);
    const discovery = type === 'Discovery';
    const targetName = pairs.get('TargetName')?.toLowerCase();
    this.claims = { initiator: initiatorName, target: discovery ? 'discovery' : (targetName ?? '') };
    const tpg = discovery ? undefined : this.#findTpg(targetName);
    const because = tpg && whyUnlisted(tpg, initiatorName, this.#context.address);
    if (because !== undefined) throw new LoginError(loginStatus.authorizationFailure, because);
    // A connection that joins a session belongs to the session's portal group.
    const redirection = tpg && request.tsih === 0 ? redirectionOf(tpg, portal) : undefined;
    if (redirection) throw redirection;
    if (tpg) this.#refuseDrained(tpg);
    if (tpg && !servesTargets) return { elsewhere: tpg };
    const acl = tpg && this.#admit(tpg, initiatorName);
    const initiatorAlias = pairs.get('InitiatorAlias') ?? '';
    if (!isLocalName(initiatorAlias)) throw initiatorError('InitiatorAlias is longer than 255 bytes');
    const session = request.tsih === 0 ? undefined : this.#findSession(request, initiatorName, tpg, acl);
    const parameter = (name: string) => tpg?.parameter(name) ?? '';
    const wanted = this.#credentials(tpg, acl);
    return {
      request,
      discovery,
      initiatorName,
      initiatorAlias,
      tpg,
      place: (tpg ?? this.#behindPortal(targetName))?.path ?? portal,
      acl,
      session,
      asked: printed(wanted),
      authentication: new Authentication(wanted, random),
      negotiation: new Negotiation(
        session ? { ...session.parameters, ...connectionDefaults() } : defaultParameters(),
        { discovery, leading: session === undefined, parameter },
        false,
      ),
    };
  }

  #findTpg(name: string | undefined): Tpg {
    if (name === undefined) throw new LoginError(loginStatus.missingParameter, 'no TargetName');
    if (!this.#context.state.targets.has(name)) throw new LoginError(loginStatus.notFound, `no target ${name}`);
    const tpg = this.#behindPortal(name);
    if (!tpg) throw new LoginError(loginStatus.notFound, `${name} is not behind this portal`);
    const disabled = whyDisabled(tpg);
    if (disabled !== undefined) throw new LoginError(loginStatus.serviceUnavailable, disabled);
    return tpg;
  }

  #behindPortal(name: string | undefined): Tpg | undefined {
    return this.#context.tpgs().find(({ target }) => target.wwn === name);
  }

  #admit(tpg: Tpg, initiatorName: string): NodeAcl | undefined {
    this.#refuseFenced(tpg, initiatorName);
    const { address, date } = this.#context;
    const admission = admitInitiator(tpg, initiatorName, address, date());
    if (!admission.admitted) throw new LoginError(loginStatus.authorizationFailure, admission.because);
    return admission.acl;
  }

  #findSession(request: LoginRequest, initiatorName: string, tpg: Tpg | undefined, acl: NodeAcl | undefined): S {
    const session = this.#context.session(request.tsih);
    const same = session && session.isid === hex(request.isid) && session.initiatorName === initiatorName;
    if (!session || !same || session.tpg !== tpg)
      throw new LoginError(loginStatus.sessionDoesNotExist, `no session with TSIH ${request.tsih}`);
    confirmSession(session, acl, request.cid);
    return session;
  }

  /** The first answer's words about the target (RFC 7143 13.9, 13.6). */
  #introduce({ tpg }: Identity<S>): Pair[] {
    if (!tpg) return [];
    const alias = tpg.parameter('TargetAlias');
    const pairs: Pair[] = [['TargetPortalGroupTag', String(tpg.portalGroupTag)]];
    return alias === '' ? pairs : [...pairs, ['TargetAlias', alias]];
  }

  #secure(request: LoginRequest, who: Identity<S>, pairs: readonly Pair[], answers: Pair[]): LoginAnswer<S> {
    const { authentication } = who;
    const isSecurity = ([name]: Pair) => isSecurityKey(name);
    const theirs = new Map(pairs.filter(isSecurity));
    if (theirs.size < pairs.filter(isSecurity).length) throw initiatorError('a security key came twice');
    const ours = authentication.answer(theirs);
    const others = this.#negotiate(
      who,
      pairs.filter((pair) => !isSecurity(pair)),
    );
    if (request.transit && ours.length === 0) authentication.skip();
    return this.#answer(request, request.transit && authentication.done, [...answers, ...others, ...ours]);
  }

  #operate(request: LoginRequest, who: Identity<S>, pairs: readonly Pair[], answers: Pair[]): LoginAnswer<S> {
    who.authentication.skip();
    const ours = this.#negotiate(who, pairs);
    return this.#answer(request, request.transit, [...answers, ...ours, ...who.negotiation.declare()]);
  }

  #negotiate(who: Identity<S>, pairs: readonly Pair[]): Pair[] {
    const answers = who.negotiation.answer(pairs);
    if (!Array.isArray(answers)) throw initiatorError(answers.failure);
    return answers;
  }

  #answer(request: LoginRequest, transit: boolean, pairs: readonly Pair[]): LoginAnswer<S> {
    // Answers to known keys fit. Only offers of many unknown keys make the text longer: such a login is refused.
    if (printText(pairs).length > loginSegmentBytesMax) throw initiatorError('too many keys to be answered');
    const currentStage = this.#stage!;
    const nextStage = transit ? request.nextStage : 0;
    if (transit) this.#stage = nextStage;
    const answer = { transit, currentStage, nextStage, pairs };
    return nextStage === fullFeature ? { ...answer, loggedIn: this.#loggedIn(this.#identity!) } : answer;
  }

  #loggedIn(who: Identity<S>): LoggedIn<S> {
    return {
      type: who.discovery ? 'Discovery' : 'Normal',
      initiatorName: who.initiatorName,
      initiatorAlias: who.initiatorAlias,
      isid: hex(who.request.isid),
      identity: `${who.initiatorName} ${hex(who.request.isid)} ${who.place}`,
      cid: who.request.cid,
      tpg: who.tpg,
      acl: who.acl,
      authenticated: who.authentication.proven,
      oldSecretOf: who.authentication.oldSecretOf,
      parameters: who.negotiation.conclude(),
      session: who.session,
      confirm: () => this.confirm(),
    };
  }
}

/** @throws LoginError when a further connection cannot join */
function confirmSession(session: JoinableSession, acl: NodeAcl | undefined, cid: number): void {
  if (session.ended || session.acl !== acl) throw new LoginError(loginStatus.sessionDoesNotExist, 'the session ended');
  if (!session.mayJoin(cid)) throw new LoginError(loginStatus.tooManyConnections, 'it takes no further connection');
}

/** The parameters that a further connection negotiates for itself, with their defaults. */
function connectionDefaults(): Partial<NegotiatedParameters> {
  const { HeaderDigest, DataDigest, MaxRecvDataSegmentLength } = defaultParameters();
  return { HeaderDigest, DataDigest, MaxRecvDataSegmentLength };
}

/** Credentials as a text, which is compared and never shown. */
const printed = (asked: Credentials): string => JSON.stringify(asked);
