/** The real gateway of a cluster over a simulated store, in virtual time, where nothing is lost by chance: its loops are made up. */

import { onTestFinished } from 'vitest';
import type { Clock } from '../../src/cluster/clock.ts';
import type { ShareAnswer, SharedNews, ShareRequest } from '../../src/loops/shared-units.ts';
import { Gateway } from '../../src/root/gateway.ts';
import { Root } from '../../src/root/root.ts';
import { SimulatedStore } from './simulated-store.ts';
import { keys, type Process, serial, Timeline } from './timeline.ts';

export const disk = '/backstores/user:rbd/disk0';

/** How long an outcome is waited for. */
const outcomeMs = 60_000;

/** A gateway, and what a test sees of it. */
export interface InTime {
  readonly gateway: Gateway;
  readonly root: Root;
  readonly process: Process;
  /** Requests to its loop, in their order. */
  readonly asked: ShareRequest[];
  readonly log: string[];
  /** The loop's answers: those of one that opens and closes at once, unless a test says otherwise. */
  answer: (request: ShareRequest) => ShareAnswer | undefined | Promise<ShareAnswer | undefined>;
}

/** A store, and the gateways that a test adds. */
export class ClusterInTime {
  readonly time = new Timeline({ seed: 1, fences: true, pauses: false, calm: true });
  readonly store = new SimulatedStore(this.time);
  #processes = 0;
  /** Timers that are set and have not gone off. */
  pending = 0;

  /** @throws Error when a rule is broken: time stands still from then on */
  async pass(ms: number): Promise<void> {
    await this.time.pass(this.time.now + ms);
    const [broken] = this.time.violations;
    if (broken) throw new Error(broken);
  }

  pause({ process }: InTime): void {
    process.paused = true;
  }

  /** All that has come meanwhile is there at once. */
  resume({ process }: InTime): void {
    const { held } = process;
    Object.assign(process, { paused: false, held: [] });
    for (const what of held) this.time.inside(process, what);
  }

  /** The outcome of what takes its time. */
  async outcome<T>(work: Promise<T>): Promise<T> {
    let isOver = false;
    const over = () => {
      isOver = true;
    };
    work.then(over, over);
    for (let waited = 0; !isOver && waited < outcomeMs; waited += 10) await this.pass(10);
    if (!isOver) throw new Error('it takes too long');
    return work;
  }

  clockOf(process: Process): Clock {
    return {
      now: () => this.time.now,
      after: (ms, what) => {
        let isPending = true;
        this.pending += 1;
        const end = () => {
          if (isPending) this.pending -= 1;
          isPending = false;
        };
        const cancel = this.time.at(ms, () => {
          end();
          this.time.inside(process, what);
        });
        return () => {
          end();
          cancel();
        };
      },
    };
  }

  /** @param more what the gateway knows beforehand, and whether the store can be reached */
  async gateway(name: string, more: { number?: number; isCurrent?: () => boolean; isCut?: boolean } = {}) {
    const { isCut = false, ...known } = more;
    const party = { gateway: name, process: `p${this.#processes++}` };
    const parts = { rate: 1, wallMs: 0, paused: false, dead: false, cut: { store: isCut, medium: false }, held: [] };
    const process = { ...parts, party, custody: undefined as never } satisfies Process;
    const clock = this.clockOf(process);
    const root = new Root();
    await restoreDisk(root);
    const log: string[] = [];
    const asked: ShareRequest[] = [];
    const here: InTime = {
      ...{ root, process, asked, log, gateway: undefined as never },
      answer: ({ does }) => ({ opened: does === 'open', clean: true }),
    };
    const joined = Gateway.join({
      ...{ store: this.store.seenBy(process, clock), cluster: 'simulated', name, token: name, clock },
      ...known,
      log: ({ event }) => log.push(event),
      storageObjects: () => root.tree.allStorageObjects(),
      share: async (_path, request) => {
        asked.push(request);
        return here.answer(request);
      },
    });
    const gateway = await this.outcome(joined);
    root.gateway = gateway;
    gateway.start();
    onTestFinished(() => void Object.assign(process, { dead: true }));
    return Object.assign(here, { gateway });
  }
}

const configuration = {
  storage_objects: [{ plugin: 'user', name: 'disk0', size: 1 << 20, config: 'rbd/rbd/disk0', wwn: serial }],
  ...{ targets: [], fabric_modules: [] },
};

/** Restores the disk from a file, as a new one in place of that which there is: its image is not looked for. */
export async function restoreDisk(root: Root): Promise<void> {
  for (const { name } of root.tree.allStorageObjects())
    await root.apply({ path: '/backstores/user:rbd', verb: 'delete', params: { name } }, true);
  await root.apply({ path: '/', verb: 'restoreconfig', params: { configuration, clear_existing: true } }, true);
}

/** The news that a loop was told of its unit. */
export const told = ({ asked }: InTime): SharedNews[] => asked.flatMap((one) => (one.does === 'stand' ? [one] : []));

export { keys, serial };
