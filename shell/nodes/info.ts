/** `info`: `key: value` lines, sorted, as Python prints values; as JSON, the values themselves. */

import { type Host, printableLine } from '../../src/index.ts';
import { commandOf, type ShellCommand } from '../session/node.ts';

export type InfoValue = string | number | boolean | null | undefined;
export type InfoEntries = Readonly<Record<string, InfoValue>>;

/** The command. @param entries the facts; undefined ones are left out */
export const infoCommand = <S>(
  doc: string,
  entries: (subject: S, host: Host) => InfoEntries | Promise<InfoEntries>,
): ShellCommand<S> =>
  commandOf<S>()({
    doc,
    parameters: [],
    examples: [{ line: 'info', does: doc }],
    run: async (subject, { info, host }) => printInfo(info, await entries(subject, host)),
    json: (subject, { host }) => entries(subject, host),
  });

/** Prints the lines of `info`. */
export function printInfo(info: (line: string) => void, entries: InfoEntries): void {
  for (const key of Object.keys(entries).sort())
    if (entries[key] !== undefined) info(printableLine(`${key}: ${printed(entries[key])}`));
}

function printed(value: InfoValue): string {
  if (value === true) return 'True';
  if (value === false) return 'False';
  return value === null ? 'None' : String(value);
}
