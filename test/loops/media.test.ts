// Changes of media by themselves. Not tested here: media that change (test/e2e-engines/rbd-volume.test.ts).

import { expect, it } from 'vitest';
import type { LogRecord } from '../../src/log.ts';
import type { LoopHost } from '../../src/loops/loop.ts';
import { Media } from '../../src/loops/media.ts';
import type { StorageObject } from '../../src/scsi/logical-unit.ts';

const disk = (found: number) =>
  ({ path: '/backstores/user:rbd/disk', volume: { size: 512, found } }) as unknown as StorageObject;

it('a size that a medium has by itself is asked for once; one that cannot be had is logged: size not followed', async () => {
  const log: LogRecord[] = [];
  const asked: unknown[] = [];
  const host = {
    log: (record: LogRecord) => void log.push(record),
    async apply(operation: unknown) {
      asked.push(operation);
      throw new Error('it is held');
    },
  } as unknown as LoopHost;
  const media = new Media(host);
  media.followSizes([disk(512)]);
  expect(asked).toEqual([]);
  media.followSizes([disk(1024)]);
  media.followSizes([disk(1024)]);
  expect(asked).toEqual([{ path: '/backstores/user:rbd/disk', verb: 'resize', params: { force: true } }]);
  await expect.poll(() => log.map(({ event }) => event)).toEqual(['size not followed']);
  media.followSizes([disk(2048)]);
  expect(asked).toHaveLength(2);
});
