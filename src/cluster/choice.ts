/**
 * Which gateway is to have a unit that nobody has: every gateway comes to the same answer without asking another. Units are
 * spread over the gateways by their serial numbers, and a gateway that goes or comes changes the answer of few (rendezvous
 * hashing).
 */

import { createHash } from 'node:crypto';

const weightOf = (serial: string, gateway: string): string =>
  createHash('sha256')
    .update(JSON.stringify([serial, gateway]))
    .digest('hex');

/** The gateways in the order in which they are to have a unit. @param preferred comes first, if it is there */
export function choiceOf(serial: string, gateways: Iterable<string>, preferred: string | undefined): string[] {
  const weights = new Map(Array.from(gateways, (one) => [one, one === preferred ? '' : weightOf(serial, one)]));
  return [...weights.keys()].sort((a, b) => (weights.get(a)! < weights.get(b)! ? -1 : 1));
}
