// A hostile front-end and a hostile guest, seeded: what they say on the socket, and what they write into rings that run.

import { opcodes } from '../../src/scsi/opcode-table.ts';
import { closeForeign } from '../../src/system/descriptor.ts';
import { openEvent } from '../../src/system/eventfd.ts';
import { below, oneOf, type Random } from '../support/random.ts';
import { guestAddress } from '../support/vhost-driver-ring.ts';
import { F, type TestFrontEnd, usualFeatures } from '../support/vhost-front-end.ts';

/** Numbers near what matters. */
const edges = [0, 1, 2, 15, 16, 63, 64, 65, 127, 0x7fff, 0xffff, 0x10000, 0x7fff_ffff, 0xffff_ffff];
const codes = [...new Set(opcodes.map(({ code }) => code))];

const edge = (random: Random, bound: number) =>
  random() < 0.5 ? below(random, bound) : oneOf(random, edges)! % (bound + 1);

function randomBytes(random: Random, length: number): Buffer {
  return Buffer.from(Array.from({ length }, () => below(random, 256)));
}

/** Descriptors that are mostly nearly right, in the table and in an indirect one. */
function ringNoise(driver: TestFrontEnd, random: Random): void {
  const ring = driver.rings[below(random, driver.rings.length)]!;
  const table = random() < 0.3 ? driver.place(1024) : ring.descriptors;
  for (let i = 0; i < 1 + below(random, 8); i += 1) {
    const at = random() < 0.9 ? driver.place(4096) : edge(random, 0xffff_ffff);
    const length = random() < 0.8 ? oneOf(random, [51, 108, 512, 4096, 24, 16])! : edge(random, 0xffff_ffff);
    const flags = random() < 0.9 ? below(random, 2) : below(random, 0x10000);
    ring.writeDescriptor(
      table,
      i,
      { at, length, writes: random() < 0.5 },
      flags,
      random() < 0.9 ? i + 1 : edge(random, 0xffff),
    );
  }
  if (table !== ring.descriptors)
    ring.writeDescriptor(ring.descriptors, 0, { at: table, length: 16 * below(random, 9) }, 4, 0);
  for (let i = 0; i < 1 + below(random, 4); i += 1) ring.publish(random() < 0.8 ? 0 : edge(random, 0xffff));
  if (random() < 0.1) ring.setAvailable(below(random, 0x10000));
  ring.kickNow();
}

/** Whole requests with CDBs that are noise behind a known operation code, written over while they run. */
function commandNoise(driver: TestFrontEnd, random: Random): void {
  for (let i = 0; i < 1 + below(random, 16); i += 1) {
    const cdb = [...randomBytes(random, 32)];
    cdb[0] = oneOf(random, codes)!;
    // Most of what is not 0 is refused at once.
    for (let at = 1; at < 32; at += 1) if (random() < 0.6) cdb[at] = 0;
    const ring = driver.rings[2]!;
    if (!ring.hasRoom(12)) break;
    const length = edge(random, 8192);
    void driver.command(cdb, {
      ring,
      kick: random() < 0.5,
      piece: oneOf(random, [Number.POSITIVE_INFINITY, 1024, 4096])!,
      indirect: random() < 0.3,
      lun: random() < 0.9 ? 0 : below(random, 20),
      attribute: below(random, 5),
      ...(random() < 0.5 ? { dataOut: randomBytes(random, Math.min(length, 2048)) } : { dataIn: length }),
    });
  }
  driver.rings[2]!.kickNow();
  if (random() < 0.3) driver.memory.set(randomBytes(random, 256), driver.place(256) - below(random, 4096));
  if (random() < 0.2) void driver.manage(below(random, 9), { id: BigInt(below(random, 100)) });
}

/** Messages that are noise but for a known number, with descriptors that are of some kind or of none. */
function messageNoise(driver: TestFrontEnd, random: Random): void {
  const request = oneOf(
    random,
    [1, 2, 3, 4, 5, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 31, 32, 34, 36, 37, 38, 6, 99],
  )!;
  const payload = randomBytes(random, oneOf(random, [0, 4, 8, 24, 40, 264, 1024])!);
  for (let at = 0; at + 4 <= payload.length; at += 4)
    if (random() < 0.7) payload.writeUInt32LE(oneOf(random, edges)!, at);
  if (random() < 0.3 && payload.length >= 24) payload.writeBigUInt64LE(BigInt(guestAddress), 8);
  const event = openEvent();
  const descriptors = Array.from({ length: below(random, 4) }, () => oneOf(random, [event, driver.memoryFd, 0])!);
  const flags = random() < 0.9 ? oneOf(random, [1, 9])! : below(random, 0xffff);
  if (random() < 0.05) driver.sendRaw(randomBytes(random, below(random, 40)));
  else driver.send(request, payload, descriptors, flags);
  closeForeign(event);
}

const kinds = [ringNoise, commandNoise, messageNoise] as const;

/**
 * A batch of inputs over as many connections as the back-end ends.
 * @param settle resolves when the back-end may have worked off what was sent
 */
export async function attackVhost(
  connect: () => Promise<TestFrontEnd>,
  random: Random,
  count: number,
  settle: () => Promise<void>,
): Promise<{ readonly inputs: number; readonly connections: number }> {
  let driver: TestFrontEnd | undefined;
  let connections = 0;
  for (let input = 0; input < count; input += 1) {
    if (driver?.hasEnded) {
      driver.close();
      driver = undefined;
    }
    if (!driver) {
      driver = await connect();
      connections += 1;
      try {
        await driver.negotiate(random() < 0.5 ? usualFeatures : usualFeatures | F.eventIndex);
        if (random() < 0.5) await driver.inflight(3, 64);
        for (const ring of driver.rings) await driver.startRing(ring);
      } catch {
        // A front-end is refused while the one before it ends.
        await settle();
        continue;
      }
    }
    oneOf(random, kinds)!(driver, random);
    await settle();
  }
  driver?.close();
  return { inputs: count, connections };
}
