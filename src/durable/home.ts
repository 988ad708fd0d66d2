/** The places of the files of one tcli. */

import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { OperatorError, reasonOf } from '../errors.ts';
import { type Files, makePrivateDirectory } from './atomic-file.ts';

export interface Home {
  /** The saved configuration: saveconfig.json. */
  readonly saveFile: string;
  /** The directory of earlier saveconfig.json files, compressed. */
  readonly backupDirectory: string;
  /** The directory of all else that survives a restart: journal, preferences, history. */
  readonly stateDirectory: string;
  /** The directory of files that a reboot may clear: sockets. */
  readonly runDirectory: string;
}

/**
 * @param directory `--home` or TCLI_HOME: everything under one directory. Without it: the system's places for root
 *   (/etc/tcli, /var/lib/tcli, /run/tcli), the XDG base directories for others.
 */
export function homeOf(directory: string | undefined, environment: NodeJS.ProcessEnv, uid: number | undefined): Home {
  if (directory) {
    const root = resolve(directory);
    return home(root, root, join(root, 'run'));
  }
  if (uid === 0) return home('/etc/tcli', '/var/lib/tcli', '/run/tcli');
  const user = environment['HOME'] || homedir();
  const state = join(environment['XDG_STATE_HOME'] || join(user, '.local/state'), 'tcli');
  const runtime = environment['XDG_RUNTIME_DIR'];
  return home(
    join(environment['XDG_CONFIG_HOME'] || join(user, '.config'), 'tcli'),
    state,
    runtime ? join(runtime, 'tcli') : join(state, 'run'),
  );
}

const home = (config: string, state: string, run: string): Home => ({
  saveFile: join(config, 'saveconfig.json'),
  backupDirectory: join(config, 'backup'),
  stateDirectory: state,
  runDirectory: run,
});

/** Makes one of its directories, where it is not there. @throws OperatorError */
export async function makeHomeDirectory(path: string, files: Files): Promise<void> {
  try {
    await makePrivateDirectory(path, files);
  } catch (error) {
    throw new OperatorError(
      `Cannot make ${path}: ${reasonOf(error)}`,
      'Choose another place with --home DIR, or run as root.',
    );
  }
}
