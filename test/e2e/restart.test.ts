// Acknowledged changes come back: after kill -9 and after a quiet end, with and without saveconfig.

import { spawn } from 'node:child_process';
import { readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { needs } from '../support/needs.ts';
import {
  configure,
  freePort,
  iqn,
  openTarget,
  run,
  serve,
  targetUrl,
  tcli,
  temporaryDirectory,
} from '../support/tcli.ts';

it('a change is there after the process ended, without saveconfig', async () => {
  const home = temporaryDirectory();
  await configure(home, '/backstores/ramdisk create rd0 16M', `/iscsi create ${iqn}`);
  const before = (await tcli(home, ['ls'])).stdout;
  expect(before).toContain(iqn);
  await expect(stat(join(home, 'saveconfig.json'))).rejects.toThrow(/ENOENT/);
  expect((await tcli(home, ['ls'])).stdout).toBe(before);
});

it('saveconfig writes the file privately, the next one keeps a generation', async () => {
  const home = temporaryDirectory();
  const saved = `Configuration saved to ${home}/saveconfig.json\n`;
  expect(await configure(home, '/backstores/ramdisk create rd0 16M', 'cd /', 'saveconfig')).toContain(saved);
  expect((await stat(join(home, 'saveconfig.json'))).mode & 0o777).toBe(0o600);
  const again = await configure(home, '/backstores/ramdisk create rd1 16M', 'cd /', 'saveconfig');
  expect(again).toContain(`Last 10 configs saved in ${home}/backup/.\n${saved}`);
});

it(
  'save, kill -9, serve again: same tree, same data, the initiator is back',
  needs('qemu-img', 'qemu-io'),
  async () => {
    const home = temporaryDirectory();
    const port = await freePort();
    await configure(
      home,
      `/backstores/fileio create disk0 ${home}/disk0.img 64M`,
      ...openTarget(port, '/backstores/fileio/disk0'),
      'cd /',
      'saveconfig',
    );
    const first = await serve(home);
    const url = targetUrl(port);
    const tree = (await tcli(home, ['ls'])).stdout;
    const wrote = await run('qemu-io', ['-f', 'raw', '-c', 'write -P 0x5a 1M 1M', '-c', 'flush', url]);
    expect(wrote.stdout).toContain('wrote 1048576/1048576 bytes');
    await first.kill();
    await serve(home);
    expect((await tcli(home, ['ls'])).stdout).toBe(tree);
    const read = await run('qemu-io', ['-f', 'raw', '-c', 'read -P 0x5a 1M 1M', url]);
    expect(read.stdout).toContain('read 1048576/1048576 bytes');
    expect(read.stdout).not.toContain('Pattern verification failed');
  },
);

it('a second serve is refused; where the socket cannot be reached one may look but not touch', async () => {
  const home = temporaryDirectory();
  await configure(home, '/backstores/ramdisk create rd0 16M');
  const first = await serve(home);
  const second = await tcli(home, ['serve']);
  expect(second.status).toBe(1);
  expect(second.stderr).toContain(`is in use by tcli serve (process ${first.process.pid})`);
  await rm(join(home, 'run/control.sock'));
  expect((await tcli(home, ['ls', '/backstores/ramdisk'])).stdout).toContain('rd0');
  const change = await tcli(home, ['/backstores/ramdisk', 'create', 'rd1', '16M']);
  expect(change.status).toBe(1);
  expect(change.stderr).toContain('is in use by tcli serve');
  expect((await tcli(home, ['ls', '/backstores/ramdisk'])).stdout).not.toContain('rd1');
});

it('SIGTERM ends it with status 0, whatever clients did before, and the home is free', async () => {
  const home = temporaryDirectory();
  const served = await serve(home);
  expect((await tcli(home, ['/backstores/ramdisk', 'create', 'rd0', '16M'])).status).toBe(0);
  expect((await tcli(home, ['set', 'global', 'prompt_length=20'])).status).toBe(0);
  served.process.kill('SIGHUP');
  expect((await tcli(home, ['ls'])).status).toBe(0);
  expect(await served.stop()).toBe(0);
  expect((await tcli(home, ['/backstores/ramdisk', 'create', 'rd1', '16M'])).status).toBe(0);
});

it('commands at the same time lose none of their changes', async () => {
  const home = temporaryDirectory();
  const names = Array.from({ length: 8 }, (_, number) => `rd${number}`);
  const results = await Promise.all(names.map((name) => tcli(home, ['/backstores/ramdisk', 'create', name, '1M'])));
  expect(results.map(({ status, stderr }) => ({ status, stderr }))).toEqual(
    names.map(() => ({ status: 0, stderr: '' })),
  );
  const tree = (await tcli(home, ['ls', '/backstores/ramdisk'])).stdout;
  for (const name of names) expect(tree).toContain(`o- ${name} `);
});

it('kill -9 at any moment of a stream of commands loses no answered one', async () => {
  const home = temporaryDirectory();
  const program = join(import.meta.dirname, '../../dist/tcli.js');
  for (let round = 0; round < 3; round += 1) {
    const child = spawn(process.execPath, [program, '--home', home], { stdio: ['pipe', 'pipe', 'ignore'] });
    let answered = '';
    child.stdout.on('data', (data) => {
      answered += data;
    });
    const ended = new Promise((resolve) => child.on('exit', resolve));
    child.stdin.on('error', () => {});
    for (let number = 0; number < 400; number += 1)
      child.stdin.write(`/backstores/ramdisk create r${round}n${number} 1M\n`);
    while (!answered.includes(`r${round}n${20 + 30 * round} `)) await new Promise((resolve) => setTimeout(resolve, 1));
    child.kill('SIGKILL');
    await ended;
    const tree = (await tcli(home, ['ls', '/backstores/ramdisk'])).stdout;
    const names = [...answered.matchAll(/Created ramdisk (\w+) with size/g)].map(([, name]) => name);
    expect(names.length).toBeGreaterThan(20);
    for (const name of names) expect(tree).toContain(`o- ${name} `);
  }
  expect(await readFile(join(home, 'journal.jsonl'), 'utf8')).toMatch(/\n$/);
});
