/** The initiator of the guest: its paths, their states, and the reservations as each path shows them. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { GuestAnswer, HostMachine } from './guest.ts';

export const iqn = 'iqn.2003-01.org.example:pair';

/** A portal of one gateway. */
export interface PathPortal {
  readonly address: string;
  readonly port: number;
}

/** As docs/cluster.md has them. */
export const hostSettings = {
  'node.session.timeo.replacement_timeout': 2,
  'node.conn[0].timeo.noop_out_interval': 2,
  'node.conn[0].timeo.noop_out_timeout': 2,
};

const attempts = 100;
/** sg3-utils: NOT READY, UNIT ATTENTION, and a path that is being given up. */
const transient = [2, 6, 11, 33];

/** The target's own word (SPC-4 D.2). */
const refused = 'SET TARGET PORT GROUPS COMMAND FAILED';

/** One initiator on all portals. */
export class LinuxHost {
  readonly guest: HostMachine;
  readonly #portals: readonly PathPortal[];
  /** The disk of each portal, in the same order. */
  disks: readonly string[] = [];
  /** The multipath device of LUN 0. */
  device = '';
  /** The key of each path: what the target must say. */
  readonly #keys: string[] = [];

  constructor(guest: HostMachine, portals: readonly PathPortal[]) {
    this.guest = guest;
    this.#portals = portals;
  }

  async login(): Promise<void> {
    // Each gateway names its own portal; a login fails where its tag is another one than discovery said.
    for (const { address, port } of this.#portals)
      await this.guest.tell(`iscsiadm -m discovery -t st -p ${address}:${port}`);
    for (const [name, value] of Object.entries(hostSettings))
      await this.guest.tell(`iscsiadm -m node -T ${iqn} -o update -n '${name}' -v ${value}`);
    await this.guest.tell(`iscsiadm -m node -T ${iqn} --login`);
    await until('every portal has a disk', async () => {
      this.disks = await this.#find();
      return this.disks.every(Boolean);
    });
    await this.guest.tell('udevadm settle -t 30; true');
    await until('all paths are in one device', () => this.areAllPathsUp());
    this.device = `/dev/mapper/${(await this.guest.tell(`multipath -l -v1 ${this.disks[0]}`)).split('\n').at(-1)}`;
  }

  async #find(): Promise<string[]> {
    const lines = (await this.guest.tell('disks')).split('\n').map((line) => line.split(' '));
    return this.#portals.map(({ address, port }) => {
      const disk = lines.find(([portal]) => portal === `${address}:${port}`)?.[1];
      return disk ? `/dev/${disk}` : '';
    });
  }

  /** The states of all paths, in multipath's words. */
  async paths(): Promise<string> {
    return (await this.guest.ask(`multipathd show paths format '%d %t %o %T %p'`)).text;
  }

  /** Each path answers, and of several at least one takes I/O. */
  async areAllPathsUp(): Promise<boolean> {
    const text = await this.paths();
    const states = this.disks.map(
      (disk) => new RegExp(`^${disk.slice(5)} +active +running +(\\S+)`, 'm').exec(text)?.[1],
    );
    const isReady = states.length === 1 || states.includes('ready');
    return isReady && states.every((state) => state === 'ready' || state === 'ghost');
  }

  /** One command of sg3-utils; it is sent again while the target says that it is between two states. */
  async #scsi(line: string, isAnswer = ({ status }: GuestAnswer) => status === 0): Promise<GuestAnswer> {
    for (let attempt = 0; ; attempt += 1) {
      const answer = await this.guest.ask(line);
      if (isAnswer(answer)) return answer;
      const { status, text } = answer;
      if (!transient.includes(status) || attempt > attempts)
        throw new Error(`${line}: status ${status}\n${text}\n${await this.paths()}`);
      await sleep(200);
    }
  }

  /** Registers every path and takes a reservation that all of them hold. */
  async reserve(): Promise<void> {
    for (const at of this.disks.keys()) await this.#register(at, `0x${at + 1}`);
    await this.#scsi(`sg_persist -n -o -R -K ${this.#keys[0]} -T 7 ${this.disks[0]}`);
    await this.#generation();
  }

  /** Another key through one path, that outlives a loss of power. */
  async #register(at: number, key: string): Promise<void> {
    await this.#scsi(`sg_persist -n -o -I -Z -S ${key} ${this.disks[at]}`);
    this.#keys[at] = key;
  }

  /**
   * Through every path the keys and the reservation are the same, and those that were made; a new key through one of them is
   * seen through all.
   * @param number of the step: another path and another key each time
   */
  async checkReservations(number: number): Promise<void> {
    const before = await this.#generation();
    await this.#register(number % this.disks.length, `0x${(0x100 + number).toString(16)}`);
    const after = await this.#generation();
    if (after !== before + 1) throw new Error(`the generation of reservations is ${after} after ${before}`);
  }

  async #generation(): Promise<number> {
    const wanted = [...this.#keys].sort().join(' ');
    const generations = new Set<number>();
    for (const disk of this.disks) {
      const { text: keys } = await this.#scsi(`sg_persist -n -k ${disk}`);
      const { text: held } = await this.#scsi(`sg_persist -n -r ${disk}`);
      const found = [...keys.matchAll(/^ +(0x[0-9a-f]+)$/gm)].map(([, key]) => key).sort();
      if (found.join(' ') !== wanted || !held.includes('Write Exclusive, all registrants'))
        throw new Error(`the keys are ${wanted}, all of which hold the disk, but ${disk} says:\n${keys}\n${held}`);
      generations.add(Number(/PR generation=(0x[0-9a-f]+)/.exec(keys)?.[1]));
    }
    const [generation = Number.NaN, ...others] = generations;
    if (others.length > 0) throw new Error(`the paths differ in the generation: ${[...generations]}`);
    return generation;
  }

  /** The host has a path be Active/optimized: SET TARGET PORT GROUPS. @returns false: the target does not do so */
  async activate(at: number): Promise<boolean> {
    const isAnswer = ({ status, text }: GuestAnswer) => status === 0 || text.toUpperCase().includes(refused);
    return (await this.#scsi(`sg_stpg -v -o ${this.disks[at]}`, isAnswer)).status === 0;
  }
}

const untilMs = 180_000;

/** Waits for something that is bound to come. */
export async function until(what: string, look: () => Promise<boolean>, limitMs = untilMs): Promise<void> {
  const end = performance.now() + limitMs;
  while (!(await look())) {
    if (performance.now() > end) throw new Error(`waited ${limitMs / 1000} s in vain until ${what}`);
    await sleep(250);
  }
}
