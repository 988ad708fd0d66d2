// Back and forth through what was done, over saves, restarts and a journal that is shortened: against a model that keeps every tree.

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { homeOf } from '../../src/durable/home.ts';
import type { Operation } from '../../src/operations/operation.ts';
import { type Host, openHost } from '../../src/root/host.ts';
import { newPart } from '../../src/root/options.ts';
import { dumpTree } from '../../src/saved/saveconfig.ts';
import { below, randomOf } from '../support/random.ts';
import { memoryFolder } from '../support/scratch.ts';
import { temporaryDirectory } from '../support/tcli.ts';

const iqn = (number: number) => `iqn.2003-01.org.example:t${number}`;
const apply = (host: Host, path: string, verb: string, params: Operation['params']) =>
  host.root.apply({ path, verb, params });
const open = (directory: string) => openHost({ home: homeOf(directory, {}, 1), role: 'command' });
/** Order, and port identifiers that chance made, aside. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).sort().join()}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).filter(([key]) => key !== 'relative_port_id');
  return `{${entries.map(([key, inner]) => `${key}:${canonical(inner)}`).join()}}`;
}
const now = ({ root }: Host): string => canonical(dumpTree(root.tree));

async function step(host: Host, does: 'undo' | 'redo'): Promise<boolean> {
  const found = does === 'undo' ? await host.history.last() : await host.history.undone();
  if (found) await host.history.take(found);
  return found !== undefined;
}

/** Something that can be done now, and leaves a trace. */
async function change(host: Host, next: (below: number) => number): Promise<void> {
  const { fabrics } = host.root.tree;
  const [wwn, other] = [iqn(next(4)), iqn(next(4))];
  const target = fabrics.get('iscsi')!.targets.get(wwn);
  if (!target) {
    await host.root.change(
      async (carry) => {
        await carry({ path: '/iscsi', verb: 'create', params: { wwn } });
        await carry({ path: `/iscsi/${wwn}`, verb: 'create', params: { tag: 1 } });
      },
      { part: newPart() },
    );
    return;
  }
  const tpg = target.tpgs.get(1)!;
  const acl = tpg.acls.get(other);
  const kind = next(5);
  if (kind === 0) await apply(host, '/iscsi', 'delete', { wwn });
  else if (!acl) await apply(host, `${tpg.path}/acls`, 'create', { wwn: other });
  else if (kind === 1) await apply(host, `${tpg.path}/acls`, 'delete', { wwn: other });
  else {
    const value = `secret${next(1e9)}`;
    await apply(host, `${tpg.path}/acls/${other}`, 'set', { group: 'auth', name: 'password', value });
  }
}

describe.each([1, 2, 3, 4])('seed %i', (seed) => {
  it('undo and redo lead through every tree that there was, whatever was saved, shortened and started anew meanwhile', async () => {
    const directory = temporaryDirectory(memoryFolder);
    let host = await open(directory);
    const chance = randomOf(seed);
    const next = (bound: number) => below(chance, bound);
    /** The trees before, and those that were taken back. */
    const before: string[] = [];
    const after: string[] = [];
    /** How far back the journal knows. */
    let known = 0;
    for (let turn = 0; turn < 120; turn += 1) {
      const what = next(12);
      const tree = now(host);
      if (what < 5) {
        await change(host, next);
        before.push(tree);
        after.length = 0;
      } else if (what < 8) {
        const undone = await step(host, 'undo');
        if (before.length > known) expect(undone, `turn ${turn}`).toBe(true);
        if (undone) after.push(tree);
        if (undone) expect(now(host), `undo in turn ${turn}`).toBe(before.pop());
        known = Math.min(known, before.length);
      } else if (what < 9) {
        const redone = await step(host, 'redo');
        if (redone) before.push(tree);
        if (redone) expect(now(host), `redo in turn ${turn}`).toBe(after.pop());
      } else if (what === 9) await host.save(undefined, 10);
      else if (what === 10) {
        await host.close();
        host = await open(directory);
        expect(now(host), `start in turn ${turn}`).toBe(tree);
      } else {
        await host.history.shorten();
        known = before.length;
      }
    }
    await host.close();
  });
});

it('a change in the middle is taken back, and later ones stay; one that they stand on is named, and stays', async () => {
  const host = await open(temporaryDirectory(memoryFolder));
  const made = async (path: string, verb: string, params: Operation['params']) => {
    const part = newPart();
    await host.root.apply({ path, verb, params }, false, part);
    return part.of;
  };
  const first = await made('/iscsi', 'create', { wwn: iqn(1) });
  const second = await made('/iscsi', 'create', { wwn: iqn(2) });
  await host.save(undefined, 10);
  await made(`/iscsi/${iqn(1)}`, 'create', { tag: 1 });
  await host.history.take((await host.history.last(second))!);
  expect([...host.root.tree.targets()].map(({ wwn, tpgs }) => [wwn, tpgs.size])).toEqual([[iqn(1), 1]]);
  await expect(host.history.last(first)).rejects.toThrow(`What came after /iscsi create stands on it`);
  await host.close();
});

it('a file that somebody else wrote is where it begins: what was done on the earlier one is in the audit, and not undone', async () => {
  const directory = temporaryDirectory(memoryFolder);
  const host = await open(directory);
  await apply(host, '/iscsi', 'create', { wwn: iqn(1) });
  await host.close();
  await writeFile(join(directory, 'saveconfig.json'), JSON.stringify({ targets: [{ fabric: 'iscsi', wwn: iqn(2) }] }));
  const again = await open(directory);
  expect(await again.history.last()).toBeUndefined();
  await apply(again, '/iscsi', 'create', { wwn: iqn(3) });
  await again.save(undefined, 10);
  await apply(again, '/iscsi', 'delete', { wwn: iqn(2) });
  expect([await step(again, 'undo'), await step(again, 'undo'), await step(again, 'undo')]).toEqual([
    true,
    true,
    false,
  ]);
  expect([...again.root.tree.targets()].map(({ wwn }) => wwn)).toEqual([iqn(2)]);
  const { changes } = await again.history.all();
  expect(changes.map(({ by, line, did }) => line ?? did[0] ?? by)).toEqual([
    `/iscsi create wwn=${iqn(1)}`,
    `${join(directory, 'saveconfig.json')} was replaced by somebody else`,
    `/iscsi create wwn=${iqn(3)}`,
    `/iscsi delete wwn=${iqn(2)}`,
    `/iscsi create wwn=${iqn(2)}`,
    `/iscsi delete wwn=${iqn(3)}`,
  ]);
  await again.close();
});
