/**
 * Units of a loop that several gateways share: the management side says when one is opened, closed and served here, and what
 * gateways agree on; in between a unit shows what its owner shows, and has nothing open.
 */

import type { Claim, Volume } from '../backstore/backstore.ts';
import { parseShape, shapeOfVolume, type VolumeShape, volumeElsewhere } from '../backstore/volume-shape.ts';
import { monotonic } from '../cluster/clock.ts';
import { reasonOf } from '../errors.ts';
import { foundBy, takeFound } from '../operations/storage-object-operations.ts';
import { standShared } from '../scsi/alua.ts';
import type { AluaGroup } from '../scsi/alua-group.ts';
import { Nexus, type StorageObject } from '../scsi/logical-unit.ts';
import { closeVolume, recordedAnew, writesOf } from '../scsi/lost-writes.ts';
import { sense } from '../scsi/sense.ts';
import { hearOfReservations, takeReservations } from '../scsi/shared-reservations.ts';
import type { RelayedCommand, RelayedCompletion, SharedAsks, SharedStanding } from '../scsi/shared-unit.ts';
import { Task } from '../scsi/task.ts';
import { reportToAll } from '../scsi/unit-attention.ts';
import { portsOf } from '../target/access.ts';

/** The state of a unit on which gateways agree. Plain data. */
export interface SharedNews {
  readonly standing: SharedStanding;
  readonly groups: readonly AluaGroup[];
  readonly own: number;
  /** The limit of `SharedUnit`, by the clock that all threads have. */
  readonly until: number | undefined;
  /** The write cache of an earlier owner may be lost: that is told once. */
  readonly unplanned?: boolean;
  /** The shape of the owner's volume; undefined: nobody has told it yet. */
  readonly shape: unknown;
  /** Where the unit begins to be served here, and where others have changed it: text of JSON, or null for none. */
  readonly reservations?: string | null;
}

/** A request of the management side to a shared unit. Plain data. */
export type ShareRequest =
  | { readonly does: 'open'; readonly shutOut: readonly string[] }
  | { readonly does: 'close'; readonly clean: boolean }
  | ({ readonly does: 'stand' } & SharedNews)
  | { readonly does: 'carry out'; readonly command: RelayedCommand };

/** The outcome of a request. Plain data. */
export interface ShareAnswer {
  readonly opened?: boolean;
  /** Nothing of us is left at the medium. */
  readonly clean?: boolean;
  readonly shape?: VolumeShape;
  readonly reason?: string;
  readonly completion?: RelayedCompletion;
}

/** A question of a loop to the management side about a shared unit. Plain data. */
export type ShareAsk =
  /** The loop has the unit from now on, and knows nothing of it. */
  | { readonly asks: 'stands' }
  | { readonly asks: 'comes'; readonly client: string }
  | { readonly asks: 'lost'; readonly reason: string }
  | { readonly asks: 'move'; readonly group: number }
  | { readonly asks: 'relay'; readonly command: RelayedCommand }
  | { readonly asks: 'reservations' }
  | { readonly asks: 'keep'; readonly kept: string };

/** PERSISTENT RESERVE OUT: nothing else is relayed. */
const relayedCode = 0x5f;

/** The shared units of one loop. */
export class SharedUnits {
  readonly #own: number | undefined;
  readonly #ask: (path: string, ask: ShareAsk) => Promise<unknown>;
  readonly #openings = new WeakMap<StorageObject, Promise<unknown>>();
  /** The volume that the management side has had opened. */
  readonly #volumes = new WeakMap<StorageObject, Volume>();
  /** Names as which a unit is, or may be, at its medium. */
  readonly #names = new WeakMap<StorageObject, Set<string>>();

  /**
   * @param own the target port group of this gateway; undefined: nothing is shared
   * @param ask what the management side answers; it rejects when gateways cannot be asked */
  constructor(own: number | undefined, ask: (path: string, ask: ShareAsk) => Promise<unknown>) {
    this.#own = own;
    this.#ask = ask;
  }

  /** From now on a unit that gateways can share is opened when the management side says so. */
  begin(lu: StorageObject): void {
    const own = this.#own;
    if (own === undefined || !lu.backstore.sharing?.(lu.config)) return;
    const news = { standing: 'transition' as const, groups: [], own, until: undefined };
    lu.shared = { ...news, now: monotonic.now, ask: this.#asks(lu) };
    lu.plain = undefined;
    this.arrive(lu);
  }

  /** The unit is this loop's: the management side says how it stands. */
  arrive(lu: StorageObject): void {
    // Where nobody can say it yet, it is told by itself later.
    if (lu.shared) void this.#ask(lu.path, { asks: 'stands' }).catch(() => {});
  }

  /** Whether a unit is shared. One whose volume was closed otherwise, as by `reopen`, is given back: gateways agree anew on it. */
  has(lu: StorageObject): boolean {
    const volume = this.#volumes.get(lu);
    if (volume && lu.volume !== volume) {
      this.#volumes.delete(lu);
      this.#lose(lu, 'its medium was closed');
    }
    return lu.shared !== undefined;
  }

  #lose({ path }: StorageObject, reason: string): void {
    void this.#ask(path, { asks: 'lost', reason }).catch(() => {});
  }

  /** @returns undefined when nobody shares it */
  async carryOut(lu: StorageObject | undefined, request: ShareRequest): Promise<ShareAnswer | undefined> {
    if (!lu?.shared) return undefined;
    switch (request.does) {
      case 'open':
        return this.#open(lu, request.shutOut);
      case 'close':
        return this.#close(lu, request.clean);
      case 'stand':
        this.#stand(lu, request);
        return {};
      case 'carry out':
        return { completion: await carriedOut(lu, request.command) };
    }
  }

  #asks({ path }: StorageObject): SharedAsks {
    return {
      moveTo: async (group) => (await this.#ask(path, { asks: 'move', group })) === true,
      relay: async (command) => (await this.#ask(path, { asks: 'relay', command })) as RelayedCompletion,
      reservations: async () => {
        const kept = await this.#ask(path, { asks: 'reservations' });
        return typeof kept === 'string' ? JSON.parse(kept) : undefined;
      },
      keepReservations: async (kept) => void (await this.#ask(path, { asks: 'keep', kept: JSON.stringify(kept) })),
    };
  }

  #stand(lu: StorageObject, news: SharedNews): void {
    const { groups, own, until, unplanned, shape, reservations } = news;
    // Another loop has opened it, which is gone or has let go of the unit.
    const isElsewhere = (news.standing === 'active' || news.standing === 'alone') && !this.#volumes.has(lu);
    const standing = isElsewhere ? 'transition' : news.standing;
    if (isElsewhere) this.#lose(lu, 'its loop has nothing open');
    const seen = parseShape(shape);
    if (seen && !lu.volume) this.#show(lu, seen);
    try {
      const kept: unknown = typeof reservations === 'string' ? JSON.parse(reservations) : undefined;
      if (reservations !== undefined && standing === 'active') takeReservations(lu, kept);
      else if (reservations !== undefined) hearOfReservations(lu, kept);
    } catch (error) {
      const detail = { path: lu.path, reason: reasonOf(error) };
      lu.log?.({ level: 'error', event: 'shared reservations damaged', detail });
    }
    standShared(lu, { standing, groups, own, until, now: monotonic.now, ask: this.#asks(lu) });
    if (unplanned && standing === 'active') reportToAll(lu, sense.powerOnReset);
  }

  /** The unit looks as its owner's does. */
  #show(lu: StorageObject, shape: VolumeShape): void {
    lu.volume = volumeElsewhere(shape);
    lu.missing = undefined;
    takeFound(lu, foundBy(lu));
  }

  async #open(lu: StorageObject, shutOut: readonly string[]): Promise<ShareAnswer> {
    const names = new Set<string>();
    this.#names.set(lu, names);
    const opening = this.#opened(lu, { shutOut, earlier: [], keep: (client) => this.#keep(lu, names, client) });
    this.#openings.set(lu, opening);
    try {
      await opening;
      return { opened: true, clean: true, ...(lu.volume && { shape: shapeOfVolume(lu.volume) }) };
    } catch (error) {
      lu.missing = reasonOf(error);
      return { opened: false, clean: names.size === 0, reason: reasonOf(error) };
    }
  }

  async #keep(lu: StorageObject, names: Set<string>, client: string | undefined): Promise<void> {
    if (client === undefined) {
      names.clear();
      return;
    }
    await this.#ask(lu.path, { asks: 'comes', client });
    names.add(client);
  }

  async #opened(lu: StorageObject, claim: Claim): Promise<void> {
    const opened = await lu.backstore.open(lu.config, undefined, claim);
    // Writes of another owner meanwhile are nothing that this one has lost.
    await writesOf(lu).forget();
    const volume = recordedAnew(lu, opened);
    lu.volume = volume;
    this.#volumes.set(lu, volume);
    lu.missing = undefined;
    takeFound(lu, foundBy(lu));
    volume.watch?.(() => {
      const { trouble } = volume;
      if (lu.volume !== volume) return;
      lu.missing = trouble?.reason;
      if (trouble?.isOver) this.#lose(lu, trouble.reason);
    });
  }

  async #close(lu: StorageObject, clean: boolean): Promise<ShareAnswer> {
    await this.#openings.get(lu)?.catch(() => {});
    this.#volumes.delete(lu);
    const { volume } = lu;
    // A medium that another loop has opened may be open still.
    const isNothingLeft = () => this.#names.get(lu)?.size === 0;
    if (!this.#openings.delete(lu) || !volume) return { clean: isNothingLeft() };
    const shape = shapeOfVolume(volume);
    const isOver = volume.trouble?.isOver === true;
    if (clean) await closeVolume(lu);
    else {
      lu.volume = undefined;
      await volume.close().catch(() => {});
    }
    const isFlushed = clean && !writesOf(lu).lost;
    await writesOf(lu).forget();
    this.#show(lu, shape);
    return { clean: isFlushed && !isOver && isNothingLeft() };
  }
}

/** A command of an initiator that came to another gateway. */
async function carriedOut(lu: StorageObject, command: RelayedCommand): Promise<RelayedCompletion> {
  const [cdb, data] = [Buffer.from(command.cdb, 'base64'), Buffer.from(command.data, 'base64')];
  const port = portsOf(lu).find(({ relativePortId }) => relativePortId === command.relativePortId);
  if (cdb[0] !== relayedCode || cdb.length < 16 || !port) throw new Error('nothing of that kind is relayed');
  const { admitTask, executeTask, retireTask } = await import('../scsi/device-server.ts');
  const { initiatorName, initiatorPortName, targetPortName } = command;
  const unit = { storageObject: lu, writeProtected: false, port };
  const nexus = new Nexus({
    ...{ initiatorName, initiatorPortName, targetPortName },
    view: () => unit,
    luns: () => [0],
  });
  const task = new Task({ nexus, lun: 0, unit, cdb, attribute: 'simple', tag: 1, dataOutOffered: data.length });
  task.dataOut = data;
  const { status, sense: bytes } = admitTask(task) ?? (await executeTask(task));
  retireTask(task);
  return { status, ...(bytes && { sense: Buffer.from(bytes).toString('base64') }) };
}
