// The records of `tcli serve` about objects that it cannot serve, in the words of docs/log.md. Not tested here: the form of lines (daemon/).

import { rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { configure, freePort, iqn, openTarget, serve, temporaryDirectory } from '../support/tcli.ts';

it('a portal that is taken and a file that is gone are logged with their reasons, and that they are served again', async () => {
  const home = temporaryDirectory();
  const file = join(home, 'disk0.img');
  const port = await freePort();
  writeFileSync(
    join(home, 'saveconfig.json'),
    JSON.stringify({ storage_objects: [{ plugin: 'fileio', name: 'bad' }], targets: [] }),
  );
  await configure(
    home,
    `/backstores/fileio create disk0 ${file} 1M`,
    `/backstores/fileio create disk1 ${file}1 1M`,
    ...openTarget(port, '/backstores/fileio/disk0'),
  );
  for (const path of [file, `${file}1`]) rmSync(path);
  const other = createServer();
  await new Promise<void>((listening) => other.listen(port, '127.0.0.1', listening));
  const served = await serve(home, '--log-format', 'json');
  const logged = () =>
    served
      .log()
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as { event: string; what?: string; address?: string })
      .map(({ event, what = '', address = '' }) => `${event}: ${what}${address}`);
  const taken = `/iscsi/${iqn}/tpg1/portals/127.0.0.1:${port}`;
  const about = (event: string, path: string) => expect.stringMatching(new RegExp(`^${event}: .*${path}`));
  // The volume is tried again, and logged again, for as long as it fails.
  await expect
    .poll(logged)
    .toEqual(
      expect.arrayContaining([
        about('not restored', 'saveconfig.json'),
        `iscsi portal not served: 127.0.0.1:${port}`,
        about('not served', '/backstores/fileio/disk0'),
        about('not served', '/backstores/fileio/disk1'),
        about('not served', taken),
      ]),
    );
  await configure(home, '/backstores/fileio delete disk1');
  await new Promise((closed) => other.close(closed));
  writeFileSync(file, Buffer.alloc(1 << 20));
  await expect
    .poll(logged)
    .toEqual(expect.arrayContaining(['served now: /backstores/fileio/disk0', `served now: ${taken}`]));
  // A deleted object has no problem any more, and is not logged as served.
  expect(logged()).not.toContain('served now: /backstores/fileio/disk1');
});
