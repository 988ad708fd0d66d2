/** Every command of every kind of node is documented, and each of its examples runs. What they do is tested in nodes.test.ts. */

import { beforeEach, describe, expect, test } from 'vitest';
import { rootNode } from '../../shell/nodes/root.ts';
import { allCommands } from '../../shell/session/common-commands.ts';
import type { Node } from '../../shell/session/node.ts';
import { resolvePath } from '../../shell/session/path.ts';
import { ownShell, type TestShell } from '../support/own-shell.ts';
import { openShell, removeHome } from '../support/shell.ts';

let shell: TestShell;

beforeEach(async () => {
  shell = await ownShell();
});

const iqn = 'iqn.2003-01.org.example:t1';
const tpg = `/iscsi/${iqn}/tpg1`;
const rd = (name: string) => `/backstores/ramdisk create ${name} 16M`;

describe('every command', () => {
  /** A tree in which each kind of node stands. */
  const everything = [
    rd('disk'),
    `/iscsi create ${iqn}`,
    `${tpg}/luns create /backstores/ramdisk/disk 77`,
    `${tpg}/acls create iqn.1994-05.com.redhat:other`,
    '/loopback create naa.50014051234567ab',
    '/loopback/naa.50014051234567ab/luns create /backstores/ramdisk/disk 78',
  ];
  const kinds = (node: Node): Node[] => [node, ...node.children().flatMap(kinds)];

  test('has a doc, parameters with docs, and examples that run', async () => {
    await shell.run(...everything);
    const seen = new Set<unknown>();
    for (const { path } of kinds(rootNode(shell.host))) {
      const names = Object.keys(allCommands(resolvePath(path, rootNode(shell.host), new Map())));
      for (const name of names) {
        const command = allCommands(resolvePath(path, rootNode(shell.host), new Map()))[name]!;
        expect(command.examples.length, `${path} ${name} has no example`).toBeGreaterThan(0);
        for (const text of [command.doc, ...command.parameters.map(({ doc }) => doc)]) expect(text).toMatch(/[.…]$/);
        // Examples of these kinds name files, devices and servers that this machine may not have; ramdisk has the same commands.
        if (/^\/backstores\/(?!ramdisk$)[^/]+$/.test(path) || seen.has(command.doc)) continue;
        seen.add(command.doc);
        for (const example of command.examples) await runExample(path, example);
      }
    }
    expect(seen.size).toBeGreaterThan(30);
  });

  /** On a tree of its own, so that one example does not need what another deleted. */
  async function runExample(path: string, { line, after = [] }: { line: string; after?: readonly string[] }) {
    const own = await openShell();
    try {
      await own.run(...everything, `/backstores/ramdisk create disk0 1M`, `cd ${path}`);
      for (const before of after) expect(await own.run(before), `${path}> ${before}`).not.toMatch(/^E\| /m);
      expect(await own.run(line), `${path}> ${line}`).not.toMatch(
        /^E\| (?!.*(needs a path|Cannot read \/etc\/|To serve:|served from here))/m,
      );
    } finally {
      await own.close();
      removeHome(own.directory);
    }
  }
});
