/** A shell with three files of 1 MiB, into which configurations of other targets are imported. */

import { truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import { openShell, removeHome, type TestShell } from './shell.ts';

export const iqn = 'iqn.2026-11.org.example:one';

/** The lines of an import's standard output about lines that were left, and the reason of each. */
export const left = (said: string): string[] =>
  [...said.matchAll(/Not taken over: \S+?:(\d+): (.*)/g)].map(([, line, what]) => `${line} ${what}`);

/** A new one for each test of the file. */
export function importing() {
  let shell: TestShell;
  beforeEach(async () => {
    shell = await openShell();
    for (const name of ['a', 'b', 'c']) {
      writeFileSync(join(shell.directory, name), '');
      truncateSync(join(shell.directory, name), 1 << 20);
    }
  });
  afterEach(async () => {
    await shell.close();
    removeHome(shell.directory);
  });
  const tree = () => shell.host.root.tree;
  const tpgOf = (wwn = iqn) => tree().fabrics.get('iscsi')!.targets.get(wwn)!.tpgs.get(1)!;
  return {
    get directory() {
      return shell.directory;
    },
    run: (...lines: string[]) => shell.run(...lines),
    tree,
    tpgOf,
    lunsOf: (wwn = iqn) =>
      [...tpgOf(wwn).luns.values()].map(({ index, storageObject }) => [index, storageObject.config['dev']]),
    valuesOf: (lun: number) => tpgOf().luns.get(lun)!.storageObject.attributes.values,
    /** Writes a file in which `@` stands for the folder of the disks, and imports it. */
    async imported(text: string, name = 'config'): Promise<string> {
      const path = join(shell.directory, name);
      writeFileSync(path, text.replaceAll('@', shell.directory));
      return shell.run(`/ import ${path}`);
    },
  };
}
