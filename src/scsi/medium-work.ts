/**
 * What FORMAT UNIT and SANITIZE do to the whole medium: plain data, for it belongs to the medium and outlives the process.
 * What was begun is gone on with after a power on, and a failure stays one (SBC-4 4.11.2).
 */

import type { VolumeConfig } from '../backstore/backstore.ts';
import { type Sense, sense } from './sense.ts';
import { unitState } from './unit-state.ts';

/** Work on a medium that goes on, or has failed. */
export type MediumWork = MediumMethod & {
  /** AUSE: EXIT FAILURE MODE ends a failure. */
  readonly exit: boolean;
  /** What the medium holds is nobody's to read. */
  readonly failed: boolean;
  /** Another medium in the same unit is none of its business. */
  readonly medium: VolumeConfig;
};

/** What is done to it. */
export type MediumMethod =
  | { readonly does: 'format' | 'block erase' }
  /** So many passes of a pattern (hexadecimal digits) that fills each logical block, with `invert` of its complement too. */
  | { readonly does: 'overwrite'; readonly count: number; readonly invert: boolean; readonly pattern: string };

/** What goes on, or has failed, is kept under this name. */
export const mediumWorkName = 'medium work';

/** FORMAT UNIT or SANITIZE, while it goes on and after it failed. */
export const mediumWork = unitState<
  {
    readonly work: MediumWork | undefined;
    /** Bytes to write, and written. */
    readonly progress: { readonly total: number; done: number };
  },
  MediumWork | undefined,
  MediumWork
>({
  name: mediumWorkName,
  initial: () => ({ work: undefined, progress: { total: 1, done: 0 } }),
  move: { pack: ({ work }) => work, unpack: (_lu, work) => ({ work }) },
  keep: {
    folder: 'medium-work',
    lostEvent: 'medium work lost',
    parse: parseMediumWork,
    restore: (_lu, work) => ({ work }),
  },
  obstructs: ({ work }) => (work ? 'reads and writes' : 'nothing'),
});

/** The command, and what others are answered meanwhile and after a failure. */
interface Method {
  readonly command: string;
  readonly inProgress: Sense;
  readonly failure: Sense;
}
const formatting = { inProgress: sense.formatInProgress, failure: sense.formatCommandFailed };
const sanitizing = { inProgress: sense.sanitizeInProgress, failure: sense.sanitizeCommandFailed };

const methods: Readonly<Record<MediumMethod['does'], Method>> = {
  format: { command: 'FORMAT UNIT', ...formatting },
  'block erase': { command: 'SANITIZE BLOCK ERASE', ...sanitizing },
  overwrite: { command: 'SANITIZE OVERWRITE', ...sanitizing },
};

/** Whatever its size is, and whatever else was set. */
export const isSameMedium = (a: VolumeConfig, b: VolumeConfig): boolean =>
  a['dev'] === b['dev'] && a['config'] === b['config'];

/** What other commands are answered. */
export const senseOfWork = ({ does, failed }: MediumWork): Sense => methods[does][failed ? 'failure' : 'inProgress'];

/** It is a SANITIZE, after which nobody may read what the medium held. */
export const isSanitize = ({ does }: MediumWork): boolean => methods[does].inProgress === sanitizing.inProgress;

/** As the standard heads its clause: `FORMAT UNIT`. */
export const commandOfWork = ({ does }: MediumWork): string => methods[does].command;

/** OVERWRITE COUNT has five bits; a pattern is no longer than a logical block. */
export const overwriteCountMax = 31;
const patternBytesMax = 4096;

/** What a file kept. @throws Error when it is none */
function parseMediumWork(kept: unknown): MediumWork {
  const { does, exit, failed, medium, count, invert, pattern } = (kept ?? {}) as Record<string, unknown>;
  if (typeof exit !== 'boolean' || typeof failed !== 'boolean') throw new Error('it does not say how it ends');
  if (!medium || typeof medium !== 'object') throw new Error('it does not say which medium it is about');
  const rest = { exit, failed, medium: medium as VolumeConfig };
  if (does === 'format' || does === 'block erase') return { does, ...rest };
  const isPattern =
    typeof pattern === 'string' && /^(?:[\da-f]{2})+$/.test(pattern) && pattern.length <= 2 * patternBytesMax;
  if (does !== 'overwrite' || !isCount(count) || typeof invert !== 'boolean' || !isPattern)
    throw new Error('what it does to the medium is damaged');
  return { does, count, invert, pattern, ...rest };
}

const isCount = (value: unknown): value is number =>
  Number.isInteger(value) && Number(value) >= 1 && Number(value) <= overwriteCountMax;
