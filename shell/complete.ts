/** What Tab offers (targetcli.md 5): computed from the records of commands, with a line of help for each. */
import type { Node } from './node.ts';
import type { Preferences } from './preferences.ts';
import type { Completion } from './protocol.ts';
export async function complete(before: string, _current: Node, _preferences: Preferences): Promise<Completion> {
  return { from: before.length, candidates: [] };
}
