/** One text negotiation (RFC 7143 6): offers in, answers out, the results in `parameters`. */

import type { Pair } from '../wire/text.ts';
import {
  declarations,
  isMisplaced,
  isParameter,
  keys,
  type NegotiatedParameters,
  negotiateKey,
  ourDeclarations,
  ourValue,
  type ParameterName,
} from './keys.ts';

/** The facts that decide the answer to a key. */
export interface Negotiator {
  readonly discovery: boolean;
  /** Whether this is the first connection of its session, which negotiates for the session. */
  readonly leading: boolean;
  /** The TPG's parameter of that name; '' when there is none. */
  parameter(name: string): string;
}

/** The reason why the negotiation as a whole has failed (RFC 7143 7.12). */
export interface Failure {
  readonly failure: string;
}

/** Values that only an answer may have, and no offer (RFC 7143 6.2). */
const constants = ['Reject', 'Irrelevant', 'NotUnderstood'];

/** One negotiation, from its first offer to its end. */
export class Negotiation {
  /** The parameters as they will hold when the negotiation ends well; until then they are not used. */
  readonly parameters: NegotiatedParameters;
  readonly #negotiator: Negotiator;
  /** Every offer so far. */
  readonly #seen = new Map<string, string>();
  readonly #full: boolean;
  /** The keys that we have declared: each is declared once, whoever speaks first. */
  readonly #declared = new Set<string>();

  /** @param parameters the values that hold so far @param full in full feature phase, where most keys are fixed */
  constructor(parameters: NegotiatedParameters, negotiator: Negotiator, full: boolean) {
    this.parameters = { ...parameters };
    this.#negotiator = negotiator;
    this.#full = full;
  }

  /** The answers of the target, in the offers' order. */
  answer(offers: readonly Pair[]): Pair[] | Failure {
    const answers = new Map<string, string>();
    // A key that depends on another one is answered after it.
    for (const [name, offer] of [...offers].sort(([a], [b]) => rank(a) - rank(b))) {
      const before = this.#seen.get(name);
      // RFC 7143 6.3 wants both refused. libiscsi names itself again in the first request of each stage, which does no harm.
      if (before === offer && declarations.has(name) && !this.#full) continue;
      if (before !== undefined) return { failure: `${name} came twice` };
      this.#seen.set(name, offer);
      const answer = this.#one(name, offer);
      if (typeof answer === 'object') return answer;
      if (answer !== undefined) answers.set(name, answer);
    }
    return offers.flatMap(([name]) => {
      const answer = answers.get(name);
      return answer === undefined ? [] : [[name, answer] as const];
    });
  }

  /** The target's declaration of `MaxRecvDataSegmentLength`, unless an answer was one already (RFC 7143 13.12). */
  declare(): Pair[] {
    const name = 'MaxRecvDataSegmentLength';
    if (this.#declared.has(name)) return [];
    this.#declared.add(name);
    return [[name, ourValue(keys[name], this.#negotiator.parameter)]];
  }

  /** The results, once the rules between keys hold among all of them (RFC 7143 6.2). */
  conclude(): NegotiatedParameters {
    for (const name of Object.keys(keys) as ParameterName[]) {
      const { notAbove } = keys[name];
      if (notAbove) this.#set(name, Math.min(Number(this.parameters[name]), Number(this.parameters[notAbove])));
    }
    return this.parameters;
  }

  #one(name: string, offer: string): string | Failure | undefined {
    if (constants.includes(offer))
      return ourDeclarations.has(name) ? undefined : { failure: `${name}=${offer} answers nothing` };
    const declared = declarations.get(name);
    if (declared) return this.#full && declared !== 'ALL' ? 'Reject' : undefined;
    if (!isParameter(name)) return isMisplaced(name) ? 'Reject' : 'NotUnderstood';
    const key = keys[name];
    const { discovery, leading } = this.#negotiator;
    if (discovery && key.irrelevantInDiscovery) return 'Irrelevant';
    if (this.#full && key.use !== 'ALL') return 'Reject';
    if (!leading && key.use === 'LO') return 'Irrelevant';
    const { answer, value } = negotiateKey(key, offer, this.#ours(name));
    if (value !== undefined) this.#set(name, value);
    if (key.result !== 'declared') return answer;
    // RFC 7143 7.12: a declaration cannot be answered; one that is not acceptable is a failure.
    if (value === undefined) return { failure: `${name}=${offer} is out of range` };
    const isNew = !this.#declared.has(name);
    this.#declared.add(name);
    return isNew ? answer : undefined;
  }

  #ours(name: ParameterName): string {
    const key = keys[name];
    const ours = ourValue(key, this.#negotiator.parameter);
    return key.notAbove === undefined ? ours : String(Math.min(Number(ours), Number(this.parameters[key.notAbove])));
  }

  #set(name: ParameterName, value: number | boolean | string): void {
    Object.assign(this.parameters, { [name]: value });
  }
}

const rank = (name: string): number => (isParameter(name) && keys[name].notAbove !== undefined ? 1 : 0);
