/**
 * The common part of the user backstores: LIO's words and keys for a volume that a program serves. `config` is the kind's word, a slash
 * and the string that only the kind understands.
 */

import { types, type ValueType } from '../attribute.ts';
import { OperatorError } from '../errors.ts';
import {
  type Backstore,
  type Claim,
  printSize,
  type Resized,
  type Volume,
  type VolumeConfig,
  wwnParameter,
} from './backstore.ts';

/** The record of a user kind. */
export interface UserKind {
  /** The word of the kind. `nbd`: the tree has it as `user:nbd`, the saved file as `nbd/…`. */
  readonly handler: string;
  readonly doc: string;
  /** A sentence that says what the kind's string is. */
  readonly string: string;
  readonly example: string;
  /** Checks a string before anything is opened. @throws OperatorError for an impossible one */
  check(string: string): void;
  /** Opens a volume. @throws OperatorError, or a system error */
  open(string: string, size: number, claim?: Claim): Promise<Volume>;
  /**
   * Prepares another size, as in `Backstore.resize`; undefined: the medium's own. Absent: the medium keeps the size that it was opened
   * with, and `resized` says what to do instead, in a line.
   */
  resize?(string: string, before: number, size: number | undefined, served: boolean): Promise<Omit<Resized, 'config'>>;
  resized?(string: string, size: string): string;
  /** Sharing, as in `Backstore`, for strings. */
  sharing?(string: string): 'fences' | 'trusts' | undefined;
  /** Snapshots, as in `Backstore`, for strings. */
  readonly snapshots?: {
    readonly needs: string;
    cloned(string: string, name: string, where: string | undefined): string;
  };
}

/** The bytes of a block, to which sizes are rounded down. */
const blockBytes = 512;
/** Rounds down to whole blocks. */
export const roundDown = (bytes: number): number => bytes - (bytes % blockBytes);
const blocksMax: ValueType<number> = {
  ...types.number,
  parse: (text) => (/^\d{1,9}$/.test(text) && Number(text) > 0 ? Number(text) : undefined),
  print: String,
};

/** The parameters of every user kind. @param string says what the kind's own string is */
const parametersOf = (string: string): Backstore['parameters'] => [
  { name: 'size', doc: 'Its size: 16M, 2G …', type: types.size, required: true, kind: 'plain' },
  { name: 'cfgstring', doc: string, type: types.string, required: true, kind: 'plain' },
  wwnParameter,
  {
    name: 'hw_max_sectors',
    doc: 'Blocks of 512 bytes in one command.',
    type: blocksMax,
    required: false,
    kind: 'plain',
  },
  {
    name: 'control',
    doc: "Settings for LIO's own user backstore, kept in the file and without a meaning here.",
    type: types.string,
    required: false,
    kind: 'plain',
  },
];

/** The keys of every user kind in the saved file. */
const keys: Backstore['keys'] = {
  config: { type: 'string', required: true },
  size: { type: 'number', required: true },
  hw_max_sectors: { type: 'number' },
  control: { type: 'string' },
};

const attributeDefaults: NonNullable<Backstore['attributeDefaults']> = (config, volume) => ({
  ...(volume && {
    block_size: volume.logicalBlockSize,
    hw_block_size: volume.logicalBlockSize,
    is_nonrot: volume.rotational ? 0 : 1,
    unmap_granularity: Math.ceil(volume.discardGranularity / volume.logicalBlockSize),
    max_unmap_lba_count: 0x200000,
  }),
  ...(typeof config['hw_max_sectors'] === 'number' && { hw_max_sectors: config['hw_max_sectors'] }),
});

/** Completes a kind that LIO has by tcmu-runner, with its parameters and the reading of a `cfgstring`. */
export function userBackstore(kind: UserKind): Backstore {
  const { handler, doc, string, example, check, open, snapshots } = kind;
  const mediumOf = (size: number, text: string) => {
    if (!(size >= blockBytes)) throw new OperatorError(`A volume has at least ${blockBytes} bytes`);
    check(text);
    return { config: `${handler}/${text}`, size: roundDown(size) };
  };
  const stringOf = (config: VolumeConfig): string => String(config['config']).slice(handler.length + 1);
  return {
    name: `user:${handler}`,
    plugin: 'user',
    handler,
    doc,
    example,
    elsewhere: true,
    lioAttributes: ['alua_support', 'emulate_pr', 'emulate_write_cache', 'pgr_support'],
    parameters: parametersOf(string),
    keys,

    async settle(create) {
      const kept = ['hw_max_sectors', 'control'].filter((key) => create[key] !== undefined);
      const config = {
        ...mediumOf(Number(create['size']), String(create['cfgstring'])),
        ...Object.fromEntries(kept.map((key) => [key, create[key] as string | number])),
      };
      return { config, notes: [], made: false };
    },

    exchange: (config, size, cfgstring) => ({ ...config, ...mediumOf(size, cfgstring) }),

    async resize(config, asked, _force, served) {
      if (!kind.resize)
        throw new OperatorError(
          `user:${handler} goes on with the size that it was opened with.`,
          kind.resized?.(stringOf(config), String(asked ?? 'SIZE')),
        );
      const resized = await kind.resize(stringOf(config), Number(config['size']), asked, served);
      return { config: { ...config, size: resized.size }, ...resized };
    },

    ...(snapshots && {
      snapshots: {
        needs: snapshots.needs,
        cloned: (config: VolumeConfig, name: string, where: string | undefined) => ({
          ...config,
          ...mediumOf(Number(config['size']), snapshots.cloned(stringOf(config), name, where)),
        }),
      },
    }),

    ...(kind.sharing && { sharing: (config: VolumeConfig) => kind.sharing?.(stringOf(config)) }),
    open: (config, _contents, claim) => open(stringOf(config), Number(config['size']), claim),

    summary: (config) => `${stringOf(config) || '(no config)'} (${printSize(Number(config['size']))})`,
    created: (name, config) => `Created user-backed storage object ${name} size ${config['size']}.`,
    attributeDefaults,
  };
}
