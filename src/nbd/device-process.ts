/**
 * A process of its own for a LUN that is a block device of this machine. The process stands between the device and the process that
 * serves: when that one goes and comes back, the device stays, and its requests wait meanwhile.
 *
 *     file system - block device - this process - the socket of the target
 *
 * The process is given one JSON argument, says one JSON line, and runs until it is told to end (SIGTERM), or the device has ended.
 */

import { rmSync } from 'node:fs';
import { openNbdConnection } from '../backstore/nbd-connection.ts';
import { openNbdVolume } from '../backstore/nbd-volume.ts';
import { OperatorError, reasonOf } from '../errors.ts';
import type { DeviceWord, DeviceWords } from './attachment.ts';
import { usableWay } from './device-ways.ts';
import { NbdServer } from './server.ts';
import { VolumeExport } from './volume-export.ts';

/** The time that a request of the device waits for the process that serves. Then it fails. */
const absenceMs = 10 * 60_000;

const { target, serial, size, name, ...source } = JSON.parse(process.argv[2] ?? '{}') as DeviceWords;

const say = (word: DeviceWord): void => void process.stdout.write(`${JSON.stringify(word)}\n`);
// The program that started this process, and reads its output, may be gone.
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
  // The process that serves comes and goes; the storage object behind it stays, and has its own record of possible losses of its medium.
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
