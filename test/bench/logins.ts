// Many sessions, one after the other: `node test/bench/logins.ts --logins N`. Each logs in, reads a block
// and goes: by Logout, or by closing its connection without a word. It fails when the process still grows in the second half of them:
// what a session leaves behind would show there. It measures no speed.

import { parseArgs } from 'node:util';
import { connectInitiator } from '../support/connect-initiator.ts';
import { builtProgram, memoryOf, startTcli } from './servers.ts';

const { values: options } = parseArgs({ options: { logins: { type: 'string', default: '100000' } } });
const logins = Number(options.logins);
/** The heaps of three threads vary by so much with V8's collector, and the arenas of the C library. */
const growthMib = 32;
const parts = 20;
/** Sessions at once: a portal has several. */
const lanes = 4;
/** READ(10) of one block. */
const read = [0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0];

const server = await startTcli(builtProgram, 'logins', [{ kind: 'ramdisk', create: '16M' }]);
const url = new URL((server.urls[0] ?? '').replace(/^iscsi/, 'http'));
const target = url.pathname.split('/')[1] ?? '';
const resident: number[] = [];
try {
  resident.push(memoryOf(server.pid).own);
  for (let part = 0; part < parts; part += 1) {
    const each = Math.ceil(logins / parts / lanes);
    await Promise.all(Array.from({ length: lanes }, (_, lane) => comeAndGo(each, lane)));
    resident.push(memoryOf(server.pid).own);
    console.log(`${(part + 1) * each * lanes} logins: ${resident.at(-1)?.toFixed(0)} MiB`);
  }
} finally {
  await server.stop();
}
const half = Math.ceil(resident.length / 2);
const grown = Math.max(...resident.slice(half)) - Math.max(...resident.slice(0, half));
console.log(
  `${logins} logins: ${resident[0]?.toFixed(0)} MiB before, at most ${Math.max(...resident).toFixed(0)}; ` +
    `the second half of them ${grown >= 0 ? '+' : ''}${grown.toFixed(1)} MiB`,
);
if (grown > growthMib) {
  console.log(`FAILED: more than ${growthMib} MiB`);
  process.exitCode = 1;
}

async function comeAndGo(count: number, lane: number): Promise<void> {
  for (let session = 0; session < count; session += 1) {
    const connected = await connectInitiator(Number(url.port), target, `iqn.2026-01.org.example:lane-${lane}`);
    // The first command tells of the power-on; the second one reads.
    await connected.initiator.command(read, { read: true, length: 512 });
    const { status } = await connected.initiator.command(read, { read: true, length: 512 });
    if (status !== 0) throw new Error(`READ ended with status ${status}`);
    if (session % 2 === 0) await connected.initiator.logout();
    connected.close();
  }
}
