/**
 * The tree that the gateways of a cluster share. etcd has the truth: a change is stored there before it is answered, and the journal
 * follows. What others have changed is taken in as it comes, and before every change of ours.
 */

import { isDeepStrictEqual } from 'node:util';
import { asRefusal, CannotFollow, ChangeLog, type SharedStep } from '../cluster/change-log.ts';
import { openEtcd } from '../cluster/etcd.ts';
import { clusterKeys } from '../cluster/keys.ts';
import type { GatewayEntry, Membership } from '../cluster/membership.ts';
import type { Store } from '../cluster/store.ts';
import { type JournalLine, type Mark, operationsOf } from '../durable/journal-lines.ts';
import { OperatorError, parseJson, reasonOf, wholeReasonOf } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Operation } from '../operations/operation.ts';
import { treeOf } from '../saved/rehearsal.ts';
import { dumpTree } from '../saved/saveconfig.ts';
import { transition } from '../saved/transition.ts';
import { whenLate } from '../system/running-time.ts';
import type { Root } from './root.ts';
import { Overtaken, type Sharing, type TakeIn } from './sharing.ts';

/** How often it is looked whether others have changed something, of which etcd should have told. */
const lookMs = 5_000;

/** The options of this object. */
export interface SharedTreeOptions {
  readonly membership: Membership;
  readonly root: Root;
  readonly log: Log;
  /** The number of the last change that the journal has. */
  readonly known: number;
  /** Writes a change of another gateway to the journal, and tells of it. */
  readonly follow: (operations: readonly Operation[], line: JournalLine, number: number) => Promise<void>;
  /** Where a simulation can stand. */
  readonly store?: Store;
}

/** The state of the sharing of the tree. Plain data. */
export interface SharingState {
  readonly cluster: string;
  readonly name: string;
  readonly endpoints: readonly string[];
  /** The number of the last change that this gateway has, and of the last one that there is, as far as it knows. */
  readonly known: number;
  readonly changes: number;
  /** The reason why this gateway follows no more changes, and makes none. */
  readonly standby?: string;
  /** The reason why nothing can be changed now. */
  readonly problem?: string;
}

/** The shared tree of one root. */
export class SharedTree implements Sharing {
  readonly membership: Membership;
  readonly store: Store;
  readonly #options: SharedTreeOptions;
  readonly #changes: ChangeLog;
  #isMember = false;
  #hasAll = false;
  /** A snapshot is on its way. */
  #isStoring = false;
  #standby: string | undefined;
  #problem: string | undefined;
  #wake = () => {};
  #stopWatch: (() => void) | undefined;
  #isClosed = false;
  #following: Promise<void> | undefined;

  /** @throws OperatorError for files that prove who we are, and cannot be read */
  constructor(options: SharedTreeOptions) {
    const { membership, known, store = openEtcd(membership) } = options;
    this.#options = options;
    this.membership = membership;
    this.store = store;
    this.#changes = new ChangeLog(store, membership.cluster, membership.id, known);
  }

  get state(): SharingState {
    const { cluster, name, endpoints } = this.membership;
    const { known, changes = known } = this.#changes;
    return {
      ...{ cluster, name, endpoints, known, changes },
      ...(this.#standby !== undefined && { standby: this.#standby }),
      ...(this.#problem !== undefined && { problem: this.#problem }),
    };
  }

  /** Whether etcd has said what the tree is since this process began: all of it, or that it cannot be followed. */
  get isCurrent(): boolean {
    return this.#hasAll || this.#standby !== undefined;
  }

  /** Takes in what others change, from now on until `close`. */
  follow(): void {
    this.#following ??= this.#follow();
  }

  async takeIn(take: TakeIn): Promise<void> {
    if (this.#standby !== undefined) throw asRefusal(new CannotFollow(this.#standby));
    try {
      if (!this.#isMember) await this.#prove();
      for (let step = await this.#changes.next(); step; step = await this.#changes.next()) await this.#take(step, take);
      this.#answers();
    } catch (error) {
      throw this.#failed(error);
    }
  }

  /** Stores a change of ours. @returns the words by which the journal knows it @throws OperatorError, Overtaken */
  async append(operations: readonly Operation[], line: JournalLine): Promise<Pick<Mark, 'gateway' | 'number'>> {
    const gateway = this.membership.name;
    try {
      const number = await this.#changes.append({ ...line, do: operations, gateway });
      if (number === undefined) throw new Overtaken(operations);
      this.#snapshot();
      return { gateway, number };
    } catch (error) {
      throw error instanceof Overtaken ? error : this.#failed(error);
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#stopWatch?.();
    this.#wake();
    this.store.close();
    await this.#following;
  }

  /** @throws CannotFollow when this gateway is not one of the cluster */
  async #prove(): Promise<void> {
    const { cluster, name, token } = this.membership;
    const { values } = await this.store.read({ key: clusterKeys(cluster).gateway(name) });
    const known = values[0] && (parseJson(values[0].value) as GatewayEntry);
    if (known?.token !== token)
      throw new CannotFollow(
        known
          ? `another gateway is called ${name}`
          : `${name} was taken out of the cluster; to be alone: tcli cluster leave`,
      );
    this.#isMember = true;
  }

  async #follow(): Promise<void> {
    while (!this.#isClosed) {
      const { promise: woken, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await this.#options.root.takeIn().catch(() => {});
      if (this.#isClosed || this.#standby !== undefined) break;
      this.#stopWatch ??= this.#changes.watch(
        () => this.#wake(),
        () => {
          this.#stopWatch = undefined;
        },
      );
      const stop = whenLate(lookMs, resolve);
      await woken;
      stop();
    }
  }

  async #take(step: SharedStep, take: TakeIn): Promise<void> {
    const { follow } = this.#options;
    if ('line' in step) {
      const operations = operationsOf(step.line);
      await this.#all(operations, take);
      this.#changes.took(step);
      await follow(operations, step.line, step.number);
    } else {
      await this.#become(step.configuration, take);
      this.#changes.took(step);
      const whole = wholeOf(step.configuration);
      await follow([whole], { do: whole, line: 'what the cluster has' }, step.number);
    }
    this.#snapshot();
  }

  async #all(operations: readonly Operation[], take: TakeIn): Promise<void> {
    try {
      if (operations.length > 0) await take(operations);
    } catch (error) {
      if (!(error instanceof OperatorError)) throw error;
      // An operation that another gateway could carry out fails here only if this version does not know it.
      throw new CannotFollow(`another gateway made a change that this version does not know: ${wholeReasonOf(error)}`);
    }
  }

  /** Leads the tree to a configuration, and what is the same on the way is not touched: sessions go on. */
  async #become(configuration: unknown, take: TakeIn): Promise<void> {
    const { root } = this.#options;
    const { tree: wish, errors } = await treeOf(configuration);
    if (errors.length > 0)
      throw new CannotFollow(`this version does not understand all of the configuration: ${errors[0]}`);
    const steps = transition(root.tree, wish).map(({ operation }) => operation);
    await take(steps).catch(() => {});
    if (!isDeepStrictEqual(dumpTree(root.tree), dumpTree(wish))) await this.#all([wholeOf(configuration)], take);
  }

  #snapshot(): void {
    if (this.#isStoring || !this.#changes.wantsSnapshot) return;
    this.#isStoring = true;
    const stored = () => {
      this.#isStoring = false;
    };
    // A snapshot that could not be stored is stored after the next change.
    this.#changes.storeSnapshot(dumpTree(this.#options.root.tree)).then(stored, stored);
  }

  #answers(): void {
    this.#hasAll = true;
    if (this.#problem === undefined) return;
    this.#problem = undefined;
    this.#options.log({ level: 'info', event: 'cluster answers again', detail: { cluster: this.membership.cluster } });
  }

  /** Notes why nothing can be changed. @returns the operator's kind of error */
  #failed(error: unknown): unknown {
    const { log } = this.#options;
    const { cluster } = this.membership;
    const reason = reasonOf(error);
    if (this.#isClosed) return asRefusal(error);
    if (error instanceof CannotFollow) {
      if (this.#standby !== undefined) return asRefusal(error);
      this.#standby = reason;
      log({ level: 'error', event: 'gateway on standby', detail: { cluster, reason } });
    } else {
      if (this.#problem === undefined)
        log({ level: 'error', event: 'cluster does not answer', detail: { cluster, reason } });
      this.#problem = reason;
    }
    return asRefusal(error);
  }
}

const wholeOf = (configuration: unknown): Operation => ({
  path: '/',
  verb: 'restoreconfig',
  params: { configuration: configuration as never, clear_existing: true },
});
