/** The security stage of a login (RFC 7143 6.3.2, 12): the choice of a method, and CHAP's three steps. */

import { isMutual } from '../target/auth.ts';
import type { Pair } from '../wire/text.ts';
import {
  type Challenge,
  challengeBytes,
  chapResponse,
  chooseAlgorithm,
  parseChallenge,
  printBinary,
  sameBytes,
  sameText,
  verifyResponse,
} from './chap.ts';
import { type Credentials, methodsOf, whyNobodyCan } from './credentials.ts';
import { LoginError, loginStatus } from './protocol-error.ts';

const failure = (message: string) => new LoginError(loginStatus.authenticationFailure, message);

export class Authentication {
  readonly #credentials: Credentials;
  readonly #random: (bytes: number) => Uint8Array;
  #step: 'method' | 'algorithm' | 'response' | 'done' = 'method';
  #challenge: Challenge | undefined;
  /** Whether the initiator proved its identity. */
  proven = false;
  /** The owner of the secret by which it did, where that was renewed since. */
  oldSecretOf: string | undefined;

  constructor(credentials: Credentials, random: (bytes: number) => Uint8Array) {
    this.#credentials = credentials;
    this.#random = random;
  }

  get done(): boolean {
    return this.#step === 'done';
  }

  /** Takes an initiator that offers no method, which means None. @throws LoginError when None is not enough */
  skip(): void {
    if (this.done) return;
    if (this.#step !== 'method') throw failure('CHAP was left unfinished');
    if (!methodsOf(this.#credentials).includes('None'))
      throw failure(whyNobodyCan(this.#credentials) ?? `${this.#credentials.owner} requires CHAP`);
    this.#step = 'done';
  }

  /** Takes the security keys of one request. @returns our keys @throws LoginError */
  answer(pairs: ReadonlyMap<string, string>): Pair[] {
    switch (this.#step) {
      case 'method':
        return this.#method(pairs.get('AuthMethod'));
      case 'algorithm':
        return this.#algorithm(pairs.get('CHAP_A'));
      case 'response':
        return this.#response(pairs);
      case 'done':
        if (pairs.has('AuthMethod')) throw new LoginError(loginStatus.initiatorError, 'AuthMethod came twice');
        return [];
    }
  }

  #method(offer: string | undefined): Pair[] {
    if (offer === undefined) return [];
    const choice = offer.split(',').find((method) => methodsOf(this.#credentials).includes(method));
    const { owner } = this.#credentials;
    if (choice === undefined)
      throw failure(`${owner} requires ${methodsOf(this.#credentials).join(' or ')}, initiator offers ${offer}`);
    const nobody = choice === 'CHAP' && whyNobodyCan(this.#credentials);
    if (nobody) throw failure(nobody);
    this.#step = choice === 'CHAP' ? 'algorithm' : 'done';
    return [['AuthMethod', choice]];
  }

  #algorithm(offer: string | undefined): Pair[] {
    if (offer === undefined) return [];
    const algorithm = chooseAlgorithm(offer);
    if (algorithm === undefined) throw failure(`no CHAP algorithm in ${offer}`);
    const [identifier = 0] = this.#random(1);
    this.#challenge = { algorithm, identifier, bytes: this.#random(challengeBytes(algorithm)) };
    this.#step = 'response';
    return [
      ['CHAP_A', algorithm],
      ['CHAP_I', String(identifier)],
      ['CHAP_C', printBinary(this.#challenge.bytes)],
    ];
  }

  #response(pairs: ReadonlyMap<string, string>): Pair[] {
    const { auth, accounts, owner } = this.#credentials;
    const ours = this.#challenge;
    if (!ours) throw failure('a CHAP response without a challenge');
    const name = pairs.get('CHAP_N');
    const response = pairs.get('CHAP_R');
    if (name === undefined && response === undefined) return [];
    // All accounts are compared in any case, so that time does not tell which one was wrong.
    const right = accounts.map(({ userid, password }) => {
      const nameRight = sameText(name ?? '', userid);
      const responseRight = verifyResponse(ours, password, response ?? '');
      return nameRight && responseRight;
    });
    const proof = accounts[right.indexOf(true)];
    if (!proof) throw failure(`CHAP name or secret is wrong for ${owner}`);
    // RFC 7143 9.2.1: an initiator that answers with our own response may only have heard it from us.
    if (isMutual(auth) && verifyResponse(ours, auth.mutual_password, response ?? ''))
      throw failure(`password and mutual_password are the same for ${owner}: set another one`);
    this.proven = true;
    if (proof.isOld) this.oldSecretOf = owner;
    this.#step = 'done';
    return this.#mutual(ours, pairs.get('CHAP_I'), pairs.get('CHAP_C'));
  }

  /** Answers the initiator's challenge. RFC 7143 12.1.3: a challenge that reflects ours ends the login. */
  #mutual(ours: Challenge, identifier: string | undefined, bytes: string | undefined): Pair[] {
    if (identifier === undefined && bytes === undefined) return [];
    const { auth, owner } = this.#credentials;
    const theirs = parseChallenge(ours.algorithm, identifier ?? '', bytes ?? '');
    if (!theirs) throw new LoginError(loginStatus.initiatorError, 'CHAP_I and CHAP_C are no challenge');
    if (sameBytes(theirs.bytes, ours.bytes)) throw failure('the initiator sent our own challenge back');
    if (!isMutual(auth)) throw failure(`the initiator wants mutual CHAP and ${owner} has no mutual credentials`);
    return [
      ['CHAP_N', auth.mutual_userid],
      ['CHAP_R', printBinary(chapResponse(theirs, auth.mutual_password))],
    ];
  }
}
