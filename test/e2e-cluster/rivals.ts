/** Two hosts, each of which sees the disk through another gateway and wants it there. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { HostMachine } from './guest.ts';
import { LinuxHost } from './initiator.ts';
import type { GatewayPair } from './stage.ts';

/** docs/cluster.md: hosts move a disk at most twice in 5 minutes. */
const spanMs = 300_000;
const movesMax = 2;

/** Both write for 5 minutes. @throws Error when the disk was moved more often than is promised, or not at all */
export async function contend(pair: GatewayPair, guests: readonly HostMachine[]): Promise<void> {
  const hosts = guests.map((guest, at) => new LinuxHost(guest, [pair.portals[at]!]));
  for (const host of hosts) await host.login();
  const before = await pair.epoch();
  for (const [at, { guest, device }] of hosts.entries())
    await guest.tell(`writes ${device} ${at} </dev/null >/dev/null 2>&1 &`);
  await sleep(spanMs);
  const moves = (await pair.epoch()) - before;
  for (const [at, guest] of guests.entries()) {
    const ended = await guest.ask('cat /tmp/written.ended');
    if (ended.status === 0) throw new Error(`host${at + 1} could not write any more: ${ended.text}`);
  }
  const counts = await Promise.all(guests.map((guest) => guest.tell('cat /tmp/written')));
  console.log(`two hosts for 5 minutes: ${moves} moves; their writes of 1 MiB: ${counts.join(' and ')}`);
  if (moves < 1 || moves > movesMax)
    throw new Error(`the disk was moved ${moves} times; 1 to ${movesMax} would be right`);
}
