/** qemu-io, the initiator that writes patterns and verifies them. */

import { run } from './tcli.ts';

/** Runs commands on the LUN at `url`; writes are flushed by `flush` alone. @returns what qemu-io prints, and its errors */
export async function io(url: string, ...commands: string[]): Promise<string> {
  const words = ['-t', 'writeback', '-f', 'raw', ...commands.flatMap((one) => ['-c', one])];
  const { stdout, stderr } = await run('qemu-io', [...words, url]);
  return stdout + stderr;
}
