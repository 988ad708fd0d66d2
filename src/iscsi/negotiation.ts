/** One text negotiation (RFC 7143 6): offers in, answers out, the results in `parameters`. */

import type { Pair } from '../wire/text.ts';
import { declarations, isParameter, keys, negotiate, obsolete, ourValue, type Parameters } from './keys.ts';

/** What decides how a key is answered. */
export interface Negotiator {
  readonly discovery: boolean;
  /** The first connection of its session, which negotiates for the session. */
  readonly leading: boolean;
  /** The TPG's parameter of that name; '' when there is none. */
  parameter(name: string): string;
}

/** Answers that are not values (RFC 7143 6.1). */
const constants = ['Reject', 'Irrelevant', 'NotUnderstood'];

export class Negotiation {
  readonly parameters: Parameters;
  readonly #negotiator: Negotiator;
  readonly #seen = new Set<string>();
  readonly #full: boolean;
  /** Declarations that we made: they are made once, whoever speaks first. */
  readonly #declared = new Set<string>();

  /** @param parameters what holds so far; changed in place @param full in full feature phase, where most is fixed */
  constructor(parameters: Parameters, negotiator: Negotiator, full: boolean) {
    this.parameters = parameters;
    this.#negotiator = negotiator;
    this.#full = full;
  }

  /** Our answers, in the offers' order; the name of a key that came twice instead (RFC 7143 6.2: not negotiated again). */
  answer(offers: readonly Pair[]): Pair[] | { readonly repeated: string } {
    const answers: Pair[] = [];
    for (const [name, offer] of offers) {
      if (this.#seen.has(name)) return { repeated: name };
      this.#seen.add(name);
      const answer = declarations.has(name) || constants.includes(offer) ? undefined : this.#one(name, offer);
      if (answer !== undefined) answers.push([name, answer]);
    }
    return answers;
  }

  /** Our declaration of `MaxRecvDataSegmentLength`, unless an answer was one already (RFC 7143 13.12). */
  declare(): Pair[] {
    const name = 'MaxRecvDataSegmentLength';
    if (this.#declared.has(name)) return [];
    this.#declared.add(name);
    return [[name, ourValue(keys[name], this.#negotiator.parameter)]];
  }

  #one(name: string, offer: string): string | undefined {
    const old = obsolete[name];
    if (old !== undefined) return old;
    if (!isParameter(name)) return 'NotUnderstood';
    const key = keys[name];
    const { discovery, leading, parameter } = this.#negotiator;
    if (discovery && key.irrelevantInDiscovery) return 'Irrelevant';
    if (this.#full && key.use !== 'ALL') return 'Reject';
    if (!leading && key.use === 'LO') return 'Irrelevant';
    const { answer, value } = negotiate(key, offer, ourValue(key, parameter));
    if (value !== undefined) (this.parameters as unknown as Record<string, unknown>)[name] = value;
    if (key.result !== 'declared') return answer;
    const isNew = !this.#declared.has(name);
    this.#declared.add(name);
    return isNew || value === undefined ? answer : undefined;
  }
}
