/**
 * The work of FORMAT UNIT and SANITIZE on the whole medium: plain data, for it belongs to the medium and outlives the process. Work that
 * was begun goes on after a power on, and a failure stays one (SBC-4 4.11.2).
 */

import type { VolumeConfig } from '../backstore/backstore.ts';
import { type Sense, sense } from './sense.ts';
import { unitState } from './unit-state.ts';

/** Work on a medium that goes on, or has failed. */
export type MediumWork = MediumMethod & {
  /** AUSE: EXIT FAILURE MODE ends a failure. */
  readonly exit: boolean;
  /** Whether the work has failed, so that nobody may read the medium. */
  readonly failed: boolean;
  /** Another medium in the same unit is none of its business. */
  readonly medium: VolumeConfig;
};

/** The method of the work. */
export type MediumMethod =
  | { readonly does: 'format' | 'block erase' }
  /** So many passes of a pattern (hexadecimal digits) that fills each logical block, with `invert` of its complement too. */
  | { readonly does: 'overwrite'; readonly count: number; readonly invert: boolean; readonly pattern: string };

/** The name under which the work is kept. */
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

/** Whether two configurations have the same medium, whatever its size and other settings are. */
export const isSameMedium = (a: VolumeConfig, b: VolumeConfig): boolean =>
  a['dev'] === b['dev'] && a['config'] === b['config'];

/** The sense that other commands get. */
export const senseOfWork = ({ does, failed }: MediumWork): Sense => methods[does][failed ? 'failure' : 'inProgress'];

/** Whether the work is a SANITIZE, after which nobody may read the old contents of the medium. */
export const isSanitize = ({ does }: MediumWork): boolean => methods[does].inProgress === sanitizing.inProgress;

/** The command's name in the head of the standard's clause: `FORMAT UNIT`. */
export const commandOfWork = ({ does }: MediumWork): string => methods[does].command;

/** OVERWRITE COUNT has five bits; a pattern is no longer than a logical block. */
export const overwriteCountMax = 31;
const patternBytesMax = 4096;

/** Reads the contents of a kept file. @throws Error when they are none */
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
