/**
 * Promises of durability, seen from below: the medium logs its requests, and at the time of the answer the blocks are there and a flush
 * behind them. Every opcode that changes the medium is tested; a new one gets into the table by itself. Not tested here: media that fail
 * (lost-writes.test.ts).
 */

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Backstore } from '../../src/backstore/backstore.ts';
import { block } from '../../src/backstore/block.ts';
import { fileio } from '../../src/backstore/fileio.ts';
import { userNbd } from '../../src/backstore/user-nbd.ts';
import { LogicalUnitExport } from '../../src/nbd/logical-unit.ts';
import { StorageObject } from '../../src/scsi/logical-unit.ts';
import { closeVolume, recordedFor } from '../../src/scsi/lost-writes.ts';
import { opcodes } from '../../src/scsi/opcode-table.ts';
import { wayOfWaiting } from '../../src/system/waiting-io.ts';
import { noTraffic } from '../../src/target/traffic.ts';
import { cdbOf } from '../support/cdb.ts';
import { blockSegment, byteSegment, copyList, copyTarget, sendCopy } from '../support/copy-list.ts';
import { covers, type LoggingMedium, loggingMedium, type MediumKind } from '../support/logging-medium.ts';
import { be, pattern, ScsiInitiator } from '../support/logical-unit.ts';
import { type Need, needs } from '../support/needs.ts';
import { makeFolder, removeFolder } from '../support/scratch.ts';

const size = 4 << 20;
const blockSize = 512;
const blocks = 8;

type Way = 'io_uring' | 'threads';

interface Kind {
  readonly kind: MediumKind;
  /** Further words of `create`. */
  readonly more?: string;
  readonly needs: readonly Need[];
  readonly backstore: Backstore;
  /** How the volume waits for its medium (TCLI_IO_URING), where that is the backstore's own affair. */
  readonly ways?: readonly Way[];
  /** @param cached false: the kind's own way to say that there is no write cache */
  config(name: string, cached: boolean): Record<string, string | number | boolean>;
}

const kinds: readonly Kind[] = [
  {
    kind: 'NBD export',
    needs: ['nbdkit'],
    backstore: userNbd,
    config: (uri) => ({ config: `nbd/${uri}`, size }),
  },
  {
    kind: 'file',
    needs: ['nbdkit', 'nbdfuse', 'fuse'],
    backstore: fileio,
    ways: ['io_uring', 'threads'],
    config: (dev, cached) => ({ dev, size, write_back: cached }),
  },
  {
    kind: 'block device',
    needs: ['nbdkit', 'nbdfuse', 'fuse', 'loop devices'],
    backstore: block,
    ways: ['io_uring', 'threads'],
    config: (dev) => ({ dev, readonly: false }),
  },
  {
    kind: 'block device',
    more: 'direct=true',
    needs: ['nbdkit', 'nbdfuse', 'fuse', 'loop devices'],
    backstore: block,
    ways: ['io_uring', 'threads'],
    config: (dev) => ({ dev, readonly: false, direct: true }),
  },
];

/** The ways by which a command's change is made stable. */
const promises = ['FUA', 'WCE 0', 'write_back=false'] as const;
type Promised = (typeof promises)[number];

/** Data-out of the commands that take a list, and whether they change everything; the others write blocks. */
const lists: Readonly<
  Record<string, { cdb?: Record<string, number>; data?: (lba: number) => Uint8Array; whole?: true }>
> = {
  UNMAP: {
    cdb: { length: 24 },
    data: (lba) =>
      Uint8Array.from([...be(22, 2), ...be(16, 2), ...be(0, 4), ...be(lba, 8), ...be(blocks, 4), ...be(0, 4)]),
  },
  'FORMAT UNIT': { whole: true },
  'SANITIZE OVERWRITE': { cdb: { length: 8 }, data: () => Uint8Array.of(1, 0, 0, 4, 0, 0, 0, 0), whole: true },
  'SANITIZE BLOCK ERASE': { whole: true },
  // The first half is what is there: zeros, as nobody has been at this block.
  'COMPARE AND WRITE': {
    cdb: { blocks: 1 },
    data: () => Buffer.concat([Buffer.alloc(blockSize), pattern(blockSize)]),
  },
};

/** More than one way of a command. */
const variants: Readonly<Record<string, readonly Record<string, number>[]>> = {
  'WRITE SAME(10)': [{}, { unmap: 1 }],
  'WRITE SAME(16)': [{}, { unmap: 1 }, { ndob: 1 }, { unmap: 1, ndob: 1 }],
  'WRITE SAME(32)': [{}, { unmap: 1 }, { ndob: 1 }, { unmap: 1, ndob: 1 }],
};

const changing = opcodes.filter(({ medium }) => medium === 'write');
const cases = changing.flatMap((row) => (variants[row.name] ?? [{}]).map((variant) => ({ row, variant })));

const media = kinds.flatMap(({ ways = [undefined], ...kind }) =>
  ways.map((way: Way | undefined) => ({
    ...kind,
    way,
    name: [kind.kind, kind.more, way].filter((word) => word !== undefined).join(', '),
    needed: needs(...kind.needs, ...(way === 'io_uring' ? (['io_uring'] as const) : [])),
  })),
);

for (const { kind, name, needed, backstore, config, way } of media)
  describe.each(promises)(`on a medium that is a ${name}: by %s`, needed, (promised: Promised) => {
    const folder = makeFolder();
    let medium: LoggingMedium;
    let lu: StorageObject;
    let initiator: ScsiInitiator;
    /** Blocks from here on are as they were. */
    let untouched = 0;

    beforeAll(async () => {
      vi.stubEnv('TCLI_IO_URING', way === 'threads' ? 'off' : undefined);
      const own = join(folder, 'medium');
      mkdirSync(own);
      medium = await loggingMedium(kind, own, size);
      const settled = config(medium.name, promised !== 'write_back=false');
      lu = new StorageObject({ backstore, name: 'disk', config: settled, wwn: '1', volume: undefined });
      lu.volume = await recordedFor(lu, await backstore.open(settled));
      if (way) expect(wayOfWaiting()).toMatch(way);
      if (promised !== 'write_back=false' || kind !== 'file')
        lu.attributes.set('emulate_write_cache', promised === 'write_back=false' ? 0 : 1);
      for (const name of ['emulate_tpu', 'emulate_tpws', 'emulate_caw', 'emulate_3pc'] as const)
        lu.attributes.set(name, 1);
      initiator = new ScsiInitiator(lu).login();
      if (promised !== 'WCE 0') return;
      // Earlier writes are as stable as later ones.
      await initiator.send(
        cdbOf(changing.find(({ name }) => name === 'WRITE(10)')!, { lba: 0, blocks }),
        pattern(blocks * blockSize),
      );
      const list = [0, 0, 0, 0, 0x08, 0x12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x20, 0, 0, 0, 0, 0, 0, 0];
      expect((await initiator.send([0x15, 0x10, 0, 0, list.length], Uint8Array.from(list))).status).toBe(0);
      expect(medium.events().unstable()).toEqual([]);
      expect(covers(medium.events().changed(), { from: 0, to: blocks * blockSize })).toBe(true);
      untouched = blocks;
    });

    afterAll(async () => {
      await closeVolume(lu);
      vi.unstubAllEnvs();
      await medium.close();
      removeFolder(folder);
    });

    /** Runs `change`, and looks below whether the range was changed and is stable. */
    async function isStable(change: () => Promise<void>, range: { from: number; to: number }): Promise<void> {
      const { end } = medium.events();
      await change();
      const after = medium.events();
      expect(after.unstable()).toEqual([]);
      const seen = after.changed(end);
      expect(covers(seen, range), JSON.stringify({ seen, range })).toBe(true);
    }

    const applicable = cases.filter(({ row }) => promised !== 'FUA' || Object.hasOwn(row.cdb, 'fua'));
    test.each(applicable.map((one) => [`${one.row.name} ${JSON.stringify(one.variant)}`, one] as const))(
      '%s',
      async (_name, { row, variant }) => {
        const list = lists[row.name];
        const isOffered = row.offered?.(lu) ?? true;
        const isAsked = (field: object) =>
          Object.keys(variant).some((name) => row.cdb[name] === field && variant[name]);
        if (!isOffered || row.conditional.some((field) => !field.offered(lu) && isAsked(field))) {
          // Only memory promises atomic writes, and only some media discard, into zeros.
          const erases = lu.volume?.discard && !lu.volume.discardLeavesAnything;
          const lacking = ['WRITE ATOMIC(16)', ...(erases ? [] : ['SANITIZE BLOCK ERASE'])];
          if (lu.volume?.discard) expect(lacking).toContain(row.name);
          return;
        }
        const lba = untouched;
        untouched += blocks;
        const asked = { lba, blocks, ...list?.cdb, ...variant, ...(promised === 'FUA' && { fua: 1 }) };
        const values = Object.fromEntries(Object.entries(asked).filter(([name]) => Object.hasOwn(row.cdb, name)));
        const length = row.dataOut?.(lu, values) ?? 0;
        // With UNMAP only zeros are deallocated.
        const data = list?.data?.(lba) ?? (values['unmap'] === 1 ? Buffer.alloc(length) : pattern(length));
        const end = lba + (values['blocks'] ?? blocks);
        const range = list?.whole ? { from: 0, to: size } : { from: lba * blockSize, to: end * blockSize };
        await isStable(async () => {
          expect(await initiator.send(cdbOf(row, values), data.subarray(0, length))).toMatchObject({
            status: 0,
            sense: '',
          });
        }, range);
      },
    );

    test('SYNCHRONIZE CACHE covers what was written before', async () => {
      const offset = 2 << 20;
      await isStable(
        async () => {
          for (const at of [0, blocks, 5 * blocks])
            expect(
              (
                await initiator.send(
                  [0x2a, 0, ...be(offset / blockSize + at, 4), 0, ...be(blocks, 2), 0],
                  pattern(4096),
                )
              ).status,
            ).toBe(0);
          expect((await initiator.send([0x35])).status).toBe(0);
        },
        { from: offset, to: offset + 2 * blocks * blockSize },
      );
    });

    test('EXTENDED COPY to a unit without a write cache', async () => {
      const cached = lu.attributes.values.emulate_write_cache;
      lu.attributes.set('emulate_write_cache', 0);
      const to = 3 << 20;
      const segments = {
        blocks: blockSegment(0, 0, blocks, 0, to / blockSize),
        bytes: byteSegment(0, 0, blocks * blockSize - 100, [0, 7], [to / blockSize, 50]),
      };
      for (const segment of Object.values(segments))
        await isStable(
          async () => {
            const answer = await sendCopy(initiator, copyList([copyTarget(lu)], [segment]));
            expect(answer).toMatchObject({ status: 0, sense: '' });
          },
          { from: to, to: to + blocks * blockSize },
        );
      lu.attributes.set('emulate_write_cache', cached);
    });

    test('an NBD client of the unit writes, zeroes and trims with FUA', async () => {
      const front = new LogicalUnitExport(initiator.nexus, 0, noTraffic());
      const offset = 1 << 20;
      const range = { from: offset, to: offset + 4096 };
      await isStable(() => front.write({ offset, length: 4096 }, pattern(4096), true), range);
      await isStable(() => front.writeZeroes({ offset, length: 4096 }, true, true), range);
      // Where that is not the whole of a hole, nothing may be left to do.
      if (lu.volume?.discard) await front.trim({ offset, length: 4096 }, true);
      expect(medium.events().unstable()).toEqual([]);
    });
  });
