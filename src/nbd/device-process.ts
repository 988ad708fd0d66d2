/**
 * A process of its own for a LUN that is a block device of this machine. It stands between the device and the process that
 * serves: when that one goes and comes back, the device stays, and what it asks meanwhile waits.
 *
 *     file system - block device - this process - the socket of the target
 *
 * It is told what to do by one JSON argument, says one JSON line, and runs until it is told to end (SIGTERM), or the
 * device has ended.
 */

import { rmSync } from 'node:fs';
import { openNbdConnection } from '../backstore/nbd-connection.ts';
import { openNbdVolume } from '../backstore/nbd-volume.ts';
import { OperatorError, reasonOf } from '../errors.ts';
import type { DeviceWord, DeviceWords } from './attachment.ts';
import { usableWay } from './device-ways.ts';
import { NbdServer } from './server.ts';
import { VolumeExport } from './volume-export.ts';

/** How long what the device asks waits for the process that serves. Then it fails. */
const absenceMs = 10 * 60_000;

const { target, serial, size, name, ...source } = JSON.parse(process.argv[2] ?? '{}') as DeviceWords;

const say = (word: DeviceWord): void => void process.stdout.write(`${JSON.stringify(word)}\n`);
// Whoever started it may be gone, and so may be whoever reads what it says.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
process.on('SIGHUP', () => {});
process.on('SIGINT', () => {});

try {
  await run();
} catch (error) {
  const hint = error instanceof OperatorError ? error.hint : undefined;
  const message = error instanceof OperatorError ? error.message : `Could not attach: ${reasonOf(error)}`;
  say({ message, ...(hint !== undefined && { hint }) });
  process.exitCode = 1;
}

async function run(): Promise<void> {
  const way = usableWay();
  const address = {
    socket: { path: target },
    exportName: serial,
    tls: 'allow' as const,
    certificates: undefined,
    verifyPeer: true,
  };
  // Who serves comes and goes; the storage object behind it stays, and has its own record of what its medium may have lost.
  const volume = await openNbdVolume(
    { connect: () => openNbdConnection(address), isUnchanged: () => true },
    size,
    absenceMs,
  );
  const exported = new VolumeExport(name, volume);
  const server = new NbdServer(
    source.socket,
    () => [exported],
    () => {},
  );
  await server.open();
  if (server.problem) throw new Error(server.problem);
  const finish = async () => {
    await server.close();
    rmSync(source.socket, { force: true });
    await volume.close();
  };
  try {
    const device = await way.make({ ...source, exportName: name });
    const { promise: told, resolve: end } = Promise.withResolvers<void>();
    process.on('SIGTERM', () => end());
    say({ device: device.path });
    await Promise.race([told.then(() => device.end()), device.ended]);
  } finally {
    await finish();
  }
}
