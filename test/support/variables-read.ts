/** The variables of the environment that our sources read, and those among them that no person sets. */

import { globSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const project = resolve(import.meta.dirname, '../..');

/** The names of the variables that sources read, each once. */
export function variablesRead(...patterns: readonly string[]): string[] {
  const found = globSync(patterns, { cwd: project }).flatMap((file) => [
    ...readFileSync(join(project, file), 'utf8').matchAll(/\b(?:env|environment)(?:\['|\.)([A-Z][A-Z_]+)\b/g),
  ]);
  return [...new Set(found.map(([, name = '']) => name))];
}

/** Whether systemd sets a variable, for the one process that it starts. */
export const isOfSystemd = (name: string): boolean => /^(?:NOTIFY_SOCKET|LISTEN_\w+|WATCHDOG_\w+)$/.test(name);
