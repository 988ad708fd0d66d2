// The processes to which a client of a control socket speaks. Not here: the clients that a server lets in (control.test.ts).

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { refusalOf } from '../../src/daemon/socket-server.ts';
import { connectTcli } from '../../src/library/index.ts';
import { needs } from '../support/needs.ts';
import { run, temporaryDirectory } from '../support/tcli.ts';

const [mine, theirs, group] = [1000, 1001, 50];
const socketOf = (uid: number, mode = 0o600, gid = uid) => ({ uid, gid, mode: 0o140000 | mode });
const me = { uid: mine, groups: [mine, group] };
const root = { uid: 0, groups: [0] };

test('a client speaks to root, to its own user, and to who made the socket for a group of its', () => {
  const fine = (uid: number, socket: ReturnType<typeof socketOf>, folderUid: number, asker = me) =>
    refusalOf({ uid, socket, folderUid }, asker) === undefined;
  expect(fine(0, socketOf(0), 0)).toBe(true);
  expect(fine(mine, socketOf(mine), mine)).toBe(true);
  // serve --group, and a service of another user whose socket systemd made.
  expect(fine(theirs, socketOf(theirs, 0o660, group), theirs)).toBe(true);
  expect(fine(theirs, socketOf(0, 0o660, group), 0)).toBe(true);

  expect(fine(theirs, socketOf(theirs), theirs)).toBe(false);
  expect(fine(theirs, socketOf(theirs, 0o777, group), theirs)).toBe(false);
  expect(fine(theirs, socketOf(theirs, 0o660, theirs), theirs)).toBe(false);
  // Gone meanwhile.
  expect(fine(theirs, { uid: -1, gid: -1, mode: 0 }, theirs)).toBe(false);
  expect(fine(mine, { uid: -1, gid: -1, mode: 0 }, theirs)).toBe(true);
  // In a folder that is somebody else's, or at the place of a socket that is.
  expect(fine(theirs, socketOf(theirs, 0o660, group), mine)).toBe(false);
  expect(fine(theirs, socketOf(mine, 0o660, group), theirs)).toBe(false);
});

test('root speaks to the owner of the home that it named, and to nobody who put a socket into the home of another', () => {
  expect(refusalOf({ uid: theirs, socket: socketOf(theirs), folderUid: theirs }, root)).toBeUndefined();
  expect(refusalOf({ uid: theirs, socket: socketOf(theirs), folderUid: mine }, root)).toContain('not the owner');
});

test('the library and the Python package tell a stranger nothing, either', needs('root', 'python3'), async () => {
  const folder = temporaryDirectory();
  const path = join(folder, 'control.sock');
  const [nobody, another] = [65534, 1];
  chmodSync(folder, 0o777);
  // The stranger says again what it hears, and ends when it has heard the last word and all who came are gone.
  const program = `const server = require('net').createServer((one) => one.on('data', (text) => {
    process.stdout.write('heard ' + text);
    if (String(text) === 'last') server.close();
  })).listen(${JSON.stringify(path)}, () => console.log('listens'))`;
  const stranger = spawn(process.execPath, ['-e', program], { uid: nobody, gid: nobody });
  onTestFinished(() => void stranger.kill());
  let heard = '';
  await new Promise<void>((resolve) =>
    stranger.stdout.on('data', (text) => {
      heard += String(text);
      if (heard.includes('listens')) resolve();
    }),
  );
  chownSync(folder, another, another);
  await expect(connectTcli({ socket: path })).rejects.toThrow('nothing was sent there');
  const script = 'from tcli_rtslib.connection import Connection; Connection().ask("status")';
  const environment = { TCLI_SOCKET: path, PYTHONPATH: 'packaging/python' };
  const { stderr } = await run('python3', ['-c', script], { env: environment });
  expect(stderr).toContain('nothing was sent there');
  connect(path).end('last');
  await once(stranger, 'close');
  expect(heard).toBe('listens\nheard last');
});
