/**
 * The changes of the shared tree, in the store: numbered lines as in the journal, each made by compare and swap of the head; and
 * a snapshot, in which all are that are not kept any more.
 */

import { createHash } from 'node:crypto';
import type { JournalLine } from '../durable/journal-lines.ts';
import { OperatorError, parseJson } from '../errors.ts';
import { type ClusterKeys, clusterKeys, numberIn } from './keys.ts';
import {
  type Store,
  type StoredValue,
  StoreError,
  type StoreStep,
  transactionStepsMax,
  valueBytesMax,
} from './store.ts';

/** The form of the lines that this version writes and understands. */
const format = 1;
/** How many changes are behind a snapshot when the next one is made; as many are kept before it. */
const changesKept = 500;
/** How many values are read at once. */
const pageMax = 32;
/** How often a transaction is made again whose outcome is not known. */
const attemptsMax = 3;

/** The contents of the head. */
interface Head {
  readonly format: number;
  /** The name that this cluster got by chance when it was founded. */
  readonly id: string;
  readonly changes: number;
}

/** A change, as it was made; or everything as it was after that many changes. */
export type SharedStep = { readonly number: number } & (
  | { readonly line: JournalLine }
  | { readonly configuration: unknown }
);

/** A reference to the pieces of a text that is too large for one value. */
interface InPieces {
  readonly pieces: number;
  readonly digest: string;
}

/** The store has what this gateway cannot follow: it goes to standby. */
export class CannotFollow extends Error {}

/** All changes of one cluster. */
export class ChangeLog {
  readonly #store: Store;
  readonly #keys: ClusterKeys;
  #head: (Head & { readonly text: string; readonly revision: number }) | undefined;
  /** The number of the last change that was taken in. 0: nothing is known. */
  #known: number;
  #snapshotAt = 0;
  readonly #id: string | undefined;
  readonly #kept: number;

  /**
   * @param id the name that the cluster got when it was founded; undefined: not known yet
   * @param known the number of the last change that this gateway has
   * @param kept how many changes are kept behind a snapshot, and make the next one due
   */
  constructor(store: Store, cluster: string, id: string | undefined, known: number, kept = changesKept) {
    this.#kept = kept;
    this.#store = store;
    this.#keys = clusterKeys(cluster);
    this.#id = id;
    this.#known = known;
  }

  get known(): number {
    return this.#known;
  }

  /** How many changes there are, as of the last look. */
  get changes(): number | undefined {
    return this.#head?.changes;
  }

  /** The revision of the head, as of the last look. */
  get revision(): number {
    return this.#head?.revision ?? 0;
  }

  /** A snapshot of the tree as of the last change is due. */
  get wantsSnapshot(): boolean {
    return this.#known - this.#snapshotAt >= this.#kept;
  }

  /** The name that the cluster got when it was founded; undefined: it is not there. @throws StoreError, CannotFollow */
  async identify(): Promise<string | undefined> {
    const [head] = (await this.#store.read({ key: this.#keys.head })).values;
    if (head) this.#look(head);
    return this.#head?.id;
  }

  /**
   * Founds the cluster with its first change, unless it is there.
   * @param also what is put together with that
   */
  async found(line: JournalLine, id: string, also: readonly StoreStep[]): Promise<boolean> {
    const { value, pieces } = await this.#small(JSON.stringify(line));
    const head = JSON.stringify({ format, id, changes: 1 } satisfies Head);
    await this.#putPieces(pieces);
    const { succeeded } = await this.#store.transact({
      when: [{ key: this.#keys.head, modified: 0 }],
      do: [{ put: this.#keys.head, value: head }, { put: this.#keys.change(1), value }, ...also],
    });
    return succeeded;
  }

  /**
   * The next step that this gateway does not have; undefined: it has all that there were when it was asked.
   * @throws StoreError, CannotFollow
   */
  async next(): Promise<SharedStep | undefined> {
    const { found } = await this.#store.transact({
      when: [],
      do: [
        { read: { key: this.#keys.head } },
        { read: { key: this.#keys.change(this.#known + 1) } },
        { read: { key: this.#keys.snapshot } },
      ],
    });
    const [head, change, snapshot] = found.map(({ values }) => values[0]);
    this.#look(head);
    if (snapshot) this.#snapshotAt = (parseJson(snapshot.value) as { changes: number }).changes;
    if (this.#head!.changes === this.#known) return undefined;
    const number = this.#known + 1;
    // A gateway that knows nothing begins with the snapshot.
    const isSnapshot = snapshot !== undefined && (change === undefined || this.#known === 0);
    const value = isSnapshot ? snapshot.value : change?.value;
    if (value === undefined) throw new CannotFollow(`etcd has neither change ${number} nor a snapshot that has it`);
    const content = await this.#whole(value);
    // The pieces were replaced meanwhile.
    if (content === undefined) return this.next();
    return isSnapshot ? { number: this.#snapshotAt, configuration: content } : { number, line: content as JournalLine };
  }

  /** A step was taken in. */
  took({ number }: SharedStep): void {
    this.#known = number;
  }

  /**
   * Makes the next change. @returns its number; undefined: others were faster, and nothing was changed
   * @throws StoreError
   */
  async append(line: JournalLine): Promise<number | undefined> {
    const number = this.#known + 1;
    const { text, format: form, id } = this.#head!;
    const { value, pieces } = await this.#small(JSON.stringify(line));
    await this.#putPieces(pieces);
    const next = JSON.stringify({ format: form, id, changes: number } satisfies Head);
    const { head, change } = { head: this.#keys.head, change: this.#keys.change(number) };
    for (let attempt = 1; ; attempt += 1) {
      try {
        // Made twice it is made once: its first part stands in the way of the second.
        const { succeeded, revision, found } = await this.#store.transact({
          when: [{ key: head, value: text }],
          do: [
            { put: head, value: next },
            { put: change, value },
          ],
          otherwise: [{ read: { key: change } }],
        });
        if (!succeeded && found[0]?.values[0]?.value !== value) return undefined;
        this.#head = { ...this.#head!, changes: number, text: next, revision };
        this.#known = number;
        return number;
      } catch (error) {
        const isUnknown = error instanceof StoreError && error.failure === 'unknown outcome';
        if (!isUnknown || attempt === attemptsMax) throw error;
      }
    }
  }

  /** Stores everything as it is after the last change, and gives up what nobody needs any more. @throws StoreError */
  async storeSnapshot(configuration: unknown): Promise<void> {
    const number = this.#known;
    const { values } = await this.#store.read({ key: this.#keys.snapshot });
    const before = values[0] && (parseJson(values[0].value) as { changes: number } & InPieces);
    this.#snapshotAt = Math.max(this.#snapshotAt, before?.changes ?? 0);
    if (number <= this.#snapshotAt) return;
    const pieces = inPieces(JSON.stringify(configuration));
    const meta = { pieces: pieces.all.length, digest: pieces.digest };
    await this.#putPieces(pieces);
    const { succeeded } = await this.#store.transact({
      when: [{ key: this.#keys.snapshot, modified: values[0]?.modified ?? 0 }],
      do: [{ put: this.#keys.snapshot, value: JSON.stringify({ changes: number, ...meta }) }],
    });
    if (!succeeded) return;
    this.#snapshotAt = number;
    await this.#giveUp(
      Math.max(0, number - this.#kept),
      before && before.digest !== meta.digest ? [before.digest] : [],
    );
  }

  /** Word of changes of the head. @returns what ends it */
  watch(moved: () => void, ended: () => void): () => void {
    const range = { key: this.#keys.head };
    return this.#store.watch({
      range,
      from: this.revision + 1,
      changed: (events) => events.length > 0 && moved(),
      ended,
    });
  }

  /** Gives up changes until a number, and pieces that nothing names any more. */
  async #giveUp(last: number, digests: readonly string[]): Promise<void> {
    const gone: StoreStep[] = digests.map((digest) => ({ deletePrefix: this.#keys.pieces(digest) }));
    for (;;) {
      const { values, more } = await this.#store.read({ prefix: this.#keys.changes, max: pageMax });
      const old = values.filter(({ key }) => numberIn(key) <= last);
      for (const { key, value } of old) {
        const large = asInPieces(value);
        gone.push({ delete: key }, ...(large ? [{ deletePrefix: this.#keys.pieces(large.digest) }] : []));
      }
      for (let at = 0; at < gone.length; at += transactionStepsMax)
        await this.#store.transact({ when: [], do: gone.slice(at, at + transactionStepsMax) });
      gone.length = 0;
      if (old.length < values.length || !more) return;
    }
  }

  #look(head: StoredValue | undefined): void {
    if (!head) throw new CannotFollow('the cluster is not in etcd any more');
    const read = parseJson(head.value) as Head;
    if (read.format !== format)
      throw new CannotFollow(`the changes are of format ${read.format}, which this version does not know`);
    if (this.#id !== undefined && this.#id !== read.id)
      throw new CannotFollow('the cluster in etcd is another one of the same name');
    if (read.changes < this.#known)
      throw new CannotFollow(`etcd has ${read.changes} changes, and this gateway ${this.#known}: etcd was set back`);
    this.#head = { ...read, text: head.value, revision: head.modified };
  }

  /** A text as a value, with the pieces that it has to have where it is too large for one. */
  async #small(text: string): Promise<{ value: string; pieces?: ReturnType<typeof inPieces> }> {
    if (Buffer.byteLength(text) <= valueBytesMax) return { value: text };
    const pieces = inPieces(text);
    return { value: JSON.stringify({ pieces: pieces.all.length, digest: pieces.digest } satisfies InPieces), pieces };
  }

  async #putPieces(pieces?: ReturnType<typeof inPieces>): Promise<void> {
    for (const [at, value] of pieces?.all.entries() ?? [])
      await this.#store.transact({
        when: [],
        do: [{ put: `${this.#keys.pieces(pieces!.digest)}${String(at).padStart(6, '0')}`, value }],
      });
  }

  /** The contents of a value; undefined: its pieces are gone. */
  async #whole(value: string): Promise<unknown> {
    const large = asInPieces(value);
    if (!large) return parseJson(value);
    const prefix = this.#keys.pieces(large.digest);
    const all: string[] = [];
    for (let after: string | undefined; all.length < large.pieces; ) {
      const { values } = await this.#store.read({ prefix, max: pageMax, ...(after !== undefined && { after }) });
      if (values.length === 0) return undefined;
      all.push(...values.map((one) => one.value));
      after = values.at(-1)!.key;
    }
    const text = Buffer.concat(all.map((piece) => Buffer.from(piece, 'base64'))).toString('utf8');
    if (digestOf(text) !== large.digest) throw new CannotFollow('a snapshot or change in etcd is damaged');
    return parseJson(text);
  }
}

const digestOf = (text: string): string => createHash('sha256').update(text).digest('hex');

/** Base64: a character must not be cut in two. */
function inPieces(text: string): { all: string[]; digest: string } {
  const bytes = Buffer.from(text);
  const length = Math.floor(valueBytesMax / 4) * 3;
  const all = Array.from({ length: Math.ceil(bytes.length / length) }, (_, at) =>
    bytes.subarray(at * length, (at + 1) * length).toString('base64'),
  );
  return { all, digest: digestOf(text) };
}

function asInPieces(value: string): InPieces | undefined {
  const { pieces, digest } = parseJson(value) as Partial<InPieces>;
  return pieces !== undefined && digest !== undefined ? { pieces, digest } : undefined;
}

/** A failure of the store as the operator's kind of error: nothing was changed. */
export function asRefusal(error: unknown): unknown {
  if (error instanceof StoreError && error.failure === 'unknown outcome')
    return new OperatorError(`${error.message}`, 'When etcd answers again, see: changes');
  if (error instanceof StoreError)
    return new OperatorError(
      `The configuration cannot be changed now: ${error.message}`,
      'Nothing was changed. The cluster: tcli cluster status',
    );
  if (error instanceof CannotFollow)
    return new OperatorError(`This gateway is on standby: ${error.message}`, 'The cluster: tcli cluster status');
  return error;
}
