/** `tcli daemon install`: the units for systemd, shown and then written. */

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { fileURLToPath } from 'node:url';
import { OperatorError, reasonOf } from '../../src/client.ts';
import { complain, say } from './streams.ts';

const units = ['tcli.service', 'tcli.socket'];
/** The unit that is written but not enabled: the operator decides. */
const optionalUnit = 'tcli-portals.socket';

export interface InstallWords {
  /** Whether the units are for this user alone, without root. */
  readonly user: boolean;
  /** Whether to write without asking. */
  readonly yes: boolean;
}

/** Installs the units. @returns the exit status. @throws OperatorError */
export async function installUnits({ user, yes }: InstallWords): Promise<number> {
  const packaged = fileURLToPath(new URL(user ? '../packaging/user' : '../packaging', import.meta.url));
  const config = process.env['XDG_CONFIG_HOME'] || join(homedir(), '.config');
  const folder = user ? join(config, 'systemd/user') : '/etc/systemd/system';
  const launcher = fileURLToPath(new URL('../shell/bin/tcli', import.meta.url));
  const files = [...units, optionalUnit].map((name) => ({
    path: join(folder, name),
    text: readFileSync(join(packaged, name), 'utf8').replace('/usr/local/bin/tcli', () => unitWord(launcher)),
  }));
  const home = process.env['TCLI_HOME'];
  if (home) complain(`These units serve ${user ? 'your own home' : '/etc/tcli'}, and not TCLI_HOME (${home}).\n`);
  for (const { path, text } of files) say(`--- ${path}\n${text}\n`);
  if (!yes && !(await agreed())) return 1;
  try {
    mkdirSync(folder, { recursive: true });
    for (const { path, text } of files) writeFileSync(path, text);
  } catch (error) {
    throw new OperatorError(
      `Could not write to ${folder}: ${reasonOf(error)}`,
      user ? 'Is it yours?' : 'As root, or for yourself alone: tcli daemon install --user',
    );
  }
  const systemctl = user ? 'systemctl --user' : 'systemctl';
  say(
    `Written. To start it: ${systemctl} daemon-reload && ${systemctl} enable --now ${units.join(' ')}
For portals that systemd opens, edit and enable besides: ${optionalUnit}\n`,
  );
  return 0;
}

/** A word of a command line as systemd.service(5) reads it. */
const unitWord = (word: string): string => {
  const expanded = word.replaceAll('%', '%%');
  return /[\s"'\\;]/.test(expanded) ? `"${expanded.replace(/["\\]/g, '\\$&')}"` : expanded;
};

async function agreed(): Promise<boolean> {
  if (!process.stdin.isTTY) throw new OperatorError('Nothing was written.', 'To write them: tcli daemon install --yes');
  const question = createInterface({ input: process.stdin, output: process.stdout });
  const answer = await question.question('Write these files? (yes/no) ');
  question.close();
  return answer.trim() !== '' && 'yes'.startsWith(answer.trim().toLowerCase());
}
