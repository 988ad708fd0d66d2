/** Decides whether to use colours, before any library that has its own opinion is loaded. */

/**
 * Reads NO_COLOR, which forbids colours unless it is empty (no-color.org). chalk and Ink do not know it, so it is handed on in the words
 * they know; call this before they are imported.
 * @returns whether colours may be used on a terminal
 */
export function settleColor(env: NodeJS.ProcessEnv): boolean {
  if (env['NO_COLOR']) {
    env['FORCE_COLOR'] = '0';
    // With both set, Node itself prints a warning.
    delete env['NO_COLOR'];
  }
  return env['FORCE_COLOR'] !== '0' && env['FORCE_COLOR'] !== 'false' && env['TERM'] !== 'dumb';
}
