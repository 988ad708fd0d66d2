/** The programs of tgt that tcli stands in for. */

import { tgtAdmin } from './tgt-admin.ts';
import type { Streams } from './tgt-commands.ts';
import { type Ask, tgtSetupLun } from './tgt-setup-lun.ts';
import { tgtadm } from './tgtadm.ts';

/** Runs a program of tgt. @returns its exit status */
export async function tgtTool(
  tool: 'tgtadm' | 'tgt-admin' | 'tgt-setup-lun',
  words: readonly string[],
  environment: NodeJS.ProcessEnv,
  streams: Streams,
  ask: Ask,
): Promise<number> {
  if (tool === 'tgt-admin') return tgtAdmin(words, environment, streams);
  if (tool === 'tgt-setup-lun') return tgtSetupLun(words, environment, streams, ask);
  const { status, output, error } = await tgtadm(words, environment);
  streams.say(output);
  streams.complain(error);
  return status;
}
