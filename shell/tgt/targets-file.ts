/** A targets.conf as tgt-admin understands it: targets by name, each with options, some of them many times, and stores. */

import { readFileSync } from 'node:fs';
import { type Block, OperatorError, readBlocks } from '../../src/client.ts';

/** The options by name, with all values that the file has. */
export type FileOptions = ReadonlyMap<string, readonly string[]>;

/** Stores of one kind (`backing-store`), by their path. */
type Stores = ReadonlyMap<string, FileOptions>;

/** A target of the file. */
export interface TargetSection {
  readonly name: string;
  readonly options: FileOptions;
  /** The options of the whole target, and its stores by kind. */
  readonly stores: ReadonlyMap<string, Stores>;
}

/** The contents of the file. */
export interface TargetsFile {
  readonly globals: FileOptions;
  /** The targets in the order of their names. */
  readonly targets: readonly TargetSection[];
}

/** The keys that name a store. */
export const storeKinds: readonly string[] = ['backing-store', 'direct-store'];

/** Reads the file. @throws OperatorError with the line that cannot be read */
export function readTargetsFile(path: string): TargetsFile {
  const root = readBlocks(readFileSync(path, 'utf8'), path);
  const byName = new Map<string, Block[]>();
  for (const block of root.blocks)
    if (block.name === 'target') byName.set(block.argument, [...(byName.get(block.argument) ?? []), block]);
  const targets = [...byName]
    .map(([name, blocks]) => sectionOf(name, blocks))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
  return { globals: optionsOf([root]), targets };
}

/** The options by name, as they are sorted there: capitals first. */
function optionsOf(blocks: readonly Block[]): FileOptions {
  const all = new Map<string, string[]>();
  for (const { key, value } of blocks.flatMap(({ options }) => options)) all.set(key, [...(all.get(key) ?? []), value]);
  return new Map([...all].toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

function sectionOf(name: string, blocks: readonly Block[]): TargetSection {
  const options = optionsOf(blocks);
  const inner = blocks.flatMap((block) => block.blocks);
  const stores = new Map<string, Stores>();
  for (const kind of storeKinds) {
    const own = inner.filter((block) => block.name === kind);
    const lines = options.get(kind) ?? [];
    // The library that tgt-admin reads the file with takes one form or the other.
    if (own.length > 0 && lines.length > 0)
      throw new OperatorError(`Config::General: Block <${kind}> already exists as scalar entry!`);
    const paths = [...new Set([...lines, ...own.map(({ argument }) => argument)])].toSorted();
    const optionsAt = (path: string) => optionsOf(own.filter(({ argument }) => argument === path));
    stores.set(kind, new Map(paths.map((path) => [path, optionsAt(path)])));
  }
  return { name, options, stores };
}
