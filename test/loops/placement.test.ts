// The loops of objects when the tree ties them together. Not tested here: the loops themselves (loops.test.ts).

import { expect, it } from 'vitest';
import { Placement } from '../../src/loops/placement.ts';
import type { ParameterValues } from '../../src/operations/operation.ts';
import { Tree } from '../../src/operations/tree.ts';
import { door, worldly } from '../../src/saved/operations.ts';

const vhost = '/vhost/naa.5001405162d5cf9d';
const iqn = '/iscsi/iqn.2003-01.org.example:many';

async function treeOf(
  ...operations: readonly (readonly [path: string, verb: string, params: ParameterValues])[]
): Promise<Tree> {
  const tree = new Tree();
  for (const [path, verb, params] of operations)
    await door.carryOut(tree, { path, verb, params }, { ...worldly, serving: false, restoring: false });
  return tree;
}

const disk = (name: string) => ['/backstores/ramdisk', 'create', { name, size: 4096 }] as const;
const lun = (tpg: string, name: string) =>
  [`${tpg}/luns`, 'create', { storage_object: `/backstores/ramdisk/${name}` }] as const;

it('objects that are tied to a vhost target come to it, however many: its virtual machine cannot come back', async () => {
  const tree = await treeOf(
    ...['a', 'b', 'c', 'd'].map(disk),
    ['/vhost', 'create', { wwn: 'naa.5001405162d5cf9d' }],
    [vhost, 'create', { tag: 1 }],
    lun(`${vhost}/tpg1`, 'a'),
    ['/iscsi', 'create', { wwn: 'iqn.2003-01.org.example:many' }],
    [iqn, 'create', { tag: 1 }],
    ...['b', 'c', 'd'].map((name) => lun(`${iqn}/tpg1`, name)),
  );
  const placement = new Placement(3, 1);
  placement.update(tree);
  const before = placement.loopOf(vhost);
  expect(placement.loopOf(iqn)).not.toBe(before);
  const [path, verb, params] = lun(`${vhost}/tpg1`, 'd');
  await door.carryOut(tree, { path, verb, params }, { ...worldly, serving: false, restoring: false });
  placement.update(tree);
  expect([placement.loopOf(vhost), placement.loopOf(iqn)]).toEqual([before, before]);
});
