// The cost of a description grows with the number of its objects, and not with the square, counted in calls; and others have their turn
// meanwhile.

import { expect, onTestFinished, test, vi } from 'vitest';
import { homeOf } from '../../src/durable/home.ts';
import { openHost } from '../../src/root/host.ts';
import { describeTree, planDescription } from '../../src/saved/description.ts';
import { StorageObject } from '../../src/scsi/logical-unit.ts';
import { inSlices, slices } from '../../src/system/slices.ts';
import { memoryFolder } from '../support/scratch.ts';
import { temporaryDirectory } from '../support/tcli.ts';

/** A description of `count` disks, each a LUN of one target that is mapped for one initiator. */
function disks(count: number) {
  const names = Array.from({ length: count }, (_, number) => `d${number}`);
  const luns = names.map((name, index) => ({ index, storage_object: `/backstores/ramdisk/${name}` }));
  const node_acls = [{ node_wwn: 'iqn.1994-05.com.redhat:c', mapped_luns: luns.map(({ index }) => ({ index })) }];
  return {
    where: () => 'disks.yaml',
    given: {
      storage_objects: names.map((name) => ({ plugin: 'ramdisk', name, size: 1 << 20, nullio: true })),
      targets: [{ wwn: 'iqn.2003-01.org.example:t', tpgs: [{ luns, node_acls }] }],
    },
  };
}

/** The calls that it takes to plan a description, to carry it out, to plan it again and to describe what there is. */
async function callsFor(count: number): Promise<number[]> {
  const host = await openHost({ home: homeOf(temporaryDirectory(memoryFolder), {}, 1), role: 'command' });
  onTestFinished(() => host.close());
  const description = disks(count);
  const spies = [
    vi.spyOn(JSON, 'stringify'),
    vi.spyOn(StorageObject.prototype, 'naa', 'get'),
    vi.spyOn(StorageObject.prototype, 'path', 'get'),
  ];
  const { tree } = host.root;
  const plan = await planDescription(tree, description);
  await host.root.change(async (apply) => {
    for (const one of plan) await apply(one);
  });
  expect(tree.storageObjectsOf('ramdisk').size).toBe(count);
  expect(await planDescription(tree, description)).toEqual([]);
  await describeTree(tree, 'plain');
  const calls = spies.map(({ mock }) => mock.calls.length);
  for (const spy of spies) spy.mockRestore();
  return calls;
}

test('ten times as many disks take ten times as many calls', async () => {
  const few = await callsFor(20);
  const many = await callsFor(200);
  for (const [at, calls] of many.entries()) expect(calls, `${at}`).toBeLessThan(11 * (few[at]! + 10));
});

test('long work leaves off when a slice is over, and others have their turn', async () => {
  const busy = () => {
    const end = performance.now() + 11;
    while (performance.now() < end);
  };
  const order: string[] = [];
  const turn = new Promise<void>((resolve) => {
    setImmediate(() => {
      order.push('others');
      resolve();
    });
  });
  const work = function* (): Generator<void, number> {
    busy();
    yield;
    order.push('work');
    return 7;
  };
  expect(await inSlices(work())).toBe(7);
  await turn;
  expect(order).toEqual(['others', 'work']);
  const rest = slices();
  expect(rest()).toBeUndefined();
  busy();
  await expect(rest()).resolves.toBeUndefined();
});
