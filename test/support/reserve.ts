/** Three initiators, and the commands with which they reserve. */

import { be, logicalUnit, ScsiInitiator } from './logical-unit.ts';

const actions = { register: 0, reserve: 1, release: 2, clear: 3, preempt: 4, preemptAndAbort: 5, ignore: 6, move: 7 };
export const types = { WE: 1, EA: 3, WERO: 5, EARO: 6, WEAR: 7, EAAR: 8 } as const;

interface Parameters {
  key?: number;
  to?: number;
  type?: number;
  flags?: number;
  more?: Uint8Array;
}

export function out(
  initiator: ScsiInitiator,
  action: keyof typeof actions,
  { key = 0, to = 0, type = 0, flags = 0, more }: Parameters,
) {
  const list = [...be(key, 8), ...be(to, 8), 0, 0, 0, 0, flags, 0, 0, 0, ...(more ?? [])];
  return initiator.send([0x5f, actions[action], type, 0, 0, ...be(list.length, 4), 0], Uint8Array.from(list));
}
export const into = async (initiator: ScsiInitiator, action: number) =>
  (await initiator.send([0x5e, action, 0, 0, 0, 0, 0, 0xff, 0xff, 0])).data.toString('hex');

export const read = [0x28, 0, 0, 0, 0, 0, 0, 0, 1];
export const write = [0x2a, 0, 0, 0, 0, 0, 0, 0, 1];
export const conflict = 0x18;

/** a holds or is to hold, b is registered, c is not. */
export function three() {
  const { lu } = logicalUnit();
  const [a, b, c] = ['a', 'b', 'c'].map((name) => new ScsiInitiator(lu, name).login()) as [
    ScsiInitiator,
    ScsiInitiator,
    ScsiInitiator,
  ];
  return { lu, a, b, c };
}

export async function registered() {
  const all = three();
  await out(all.a, 'register', { to: 0xa });
  await out(all.b, 'register', { to: 0xb });
  return all;
}
