/** How ls draws, to the column and the byte. Not tested here: what each node says of itself (nodes.test.ts). */

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { child, Node, type NodeType, type Summary } from '../../../shell/session/node.ts';
import { promptOf } from '../../../shell/session/path.ts';
import { drawTree, type TreeStyle } from '../../../shell/session/tree-drawing.ts';
import { openShell, removeHome, type TestShell } from '../../support/shell.ts';

interface Drawing {
  readonly summary?: Summary;
  readonly below?: Readonly<Record<string, Drawing>>;
}

const drawing: NodeType<Drawing> = {
  doc: '',
  summary: ({ summary }) => summary ?? { text: '', healthy: null },
  children: ({ below = {} }) => Object.entries(below).map(([name, one]) => child(name, drawing, one)),
};

let shell: TestShell;
beforeAll(async () => {
  shell = await openShell();
});
afterAll(async () => {
  await shell.close();
  removeHome(shell.directory);
});

const style: TreeStyle = { columns: 40, color: false, depth: 0, roundNodes: true, showRoot: true, status: true };
const draw = (root: Drawing, changes: Partial<TreeStyle> = {}) =>
  drawTree(new Node(child('/', drawing, root), undefined, shell.host), { ...style, ...changes });

const says = (text: string, healthy: boolean | null = null): Drawing => ({ summary: { text, healthy } });

describe('lines', () => {
  test('the bracket closes in the last column; a bar runs where siblings follow', () => {
    expect(draw({ below: { a: { below: { x: says('X'), y: says('Y') } }, b: { below: { z: says('Z') } } } })).toEqual([
      'o- / ............................. [...]',
      '  o- a ........................... [...]',
      '  | o- x ........................... [X]',
      '  | o- y ........................... [Y]',
      '  o- b ........................... [...]',
      '    o- z ........................... [Z]',
    ]);
  });

  test('without a text: OK, ERROR or three dots', () => {
    expect(draw({ below: { a: says('', true), b: says('', false), c: says('') } }).slice(1)).toEqual([
      '  o- a ............................ [OK]',
      '  o- b ......................... [ERROR]',
      '  o- c ........................... [...]',
    ]);
  });

  test('a line that is too long runs over, with two blanks for the dots', () => {
    expect(draw({ below: { ['n'.repeat(34)]: says('status') } })[1]).toBe(`  o- ${'n'.repeat(34)}  [status]`);
  });

  test('siblings are in the order of their trailing numbers, then of their code points', () => {
    const names = ['lun10', 'lun2', 'b', 'B', '10.0.0.5:3261', '10.0.0.5:860', 'lun02'];
    const below = Object.fromEntries(names.map((name) => [name, says('')]));
    const drawn = draw({ below }, { status: false }).slice(1);
    expect(drawn.map((line) => line.trim().slice(3))).toEqual([
      '10.0.0.5:860',
      '10.0.0.5:3261',
      'B',
      'b',
      'lun2',
      'lun02',
      'lun10',
    ]);
  });
});

describe('the preferences', () => {
  const tree = { below: { a: { below: { x: { below: { deep: {} } } } }, b: {} } };

  test('depth', () => {
    expect([-1, 1, 2, 0].map((depth) => draw(tree, { depth }).length)).toEqual([1, 3, 4, 5]);
  });

  test('square nodes, no status', () => {
    expect(draw(tree, { roundNodes: false, status: false })).toEqual([
      '+- /',
      '  +- a',
      '  | +- x',
      '  |   +- deep',
      '  +- b',
    ]);
  });

  test('without the root its children stand at the margin, with no bar between them', () => {
    expect(draw(tree, { showRoot: false, status: false })).toEqual(['o- a', '  o- x', '    o- deep', 'o- b']);
  });
});

test('as targetcli: colours, byte for byte', async () => {
  await shell.run('/backstores/ramdisk create rd0 16M');
  shell.session.setTerminal({ columns: 80, color: true, interactive: false });
  const dots = (count: number) => '.'.repeat(count);
  expect(await shell.run('ls /backstores/ramdisk 1')).toBe(
    [
      `o- \x1b[4m\x1b[1m\x1b[35mramdisk\x1b[0m \x1b[35m${dots(48)}\x1b[0m\x1b[1m [\x1b[0mStorage Objects: 1\x1b[1m]\x1b[0m`,
      `  o- \x1b[1mrd0\x1b[0m ${dots(47)}\x1b[1m [\x1b[0m\x1b[32m(16.0MiB) deactivated\x1b[0m\x1b[1m]\x1b[0m`,
      '',
    ].join('\n'),
  );
  await shell.run('set global color_mode=false');
  expect(await shell.run('ls /backstores/ramdisk -1')).toBe(`o- ramdisk ${dots(48)} [Storage Objects: 1]\n`);
  await shell.run('set global color_mode=true', '/backstores/ramdisk delete rd0');
});

test('a wide terminal gets 132 columns, a narrow one what it has', async () => {
  for (const [columns, width] of [
    [200, 132],
    [132, 132],
    [80, 80],
  ] as const) {
    shell.session.setTerminal({ columns, color: false, interactive: false });
    const lines = (await shell.run('ls')).trimEnd().split('\n');
    expect(new Set(lines.map((line) => line.length))).toEqual(new Set([width]));
  }
});

test.each([
  ['/', 30, '/> '],
  ['/iscsi', 30, '/iscsi> '],
  ['/iscsi/iqn.2003-01.org.linux-iscsi.storage.x8664:sn.0123456789ab/tpg1', 30, '/iscsi/iqn.20...456789ab/tpg1> '],
  ['/iscsi/iqn.2003-01.org.x:y/tpg1/acls/iqn.1994-05.com.redhat:client1', 30, '/iscsi/iqn.20...edhat:client1> '],
  ['/iscsi/iqn.2003-01.org.x:y/tpg1/acls', 10, '/is...cls> '],
  ['/iscsi/iqn.2003-01.org.x:y/tpg1/acls', 0, '/iscsi/iqn.2003-01.org.x:y/tpg1/acls> '],
  ['/iscsi', 2, '...> '],
])('as targetcli: the prompt of %s within %i characters', (path, length, prompt) => {
  expect(promptOf(path, length)).toBe(prompt);
});
