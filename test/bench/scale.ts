// 1,000 targets with 10 LUNs each, restored and served, changed one by one, and 1,000 idle sessions held:
// `npm run bench:scale`. Exits with 1 when a limit is passed.

import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type Connected, connectInitiator } from '../support/connect-initiator.ts';

const targets = 1_000;
const lunsEach = 10;
const sessions = 1_000;
const limits = { 'restore and serve, s': 10, 'resident, MiB': 1024, 'one change, ms': 20, 'sessions held': sessions };

const program = resolve(import.meta.dirname, '../../dist/tcli.js');
const home = mkdtempSync(join(tmpdir(), 'tcli-scale-'));
const port = await new Promise<number>((done) => {
  const server = createServer().listen(0, '127.0.0.1', () => {
    const address = server.address();
    server.close(() => done(typeof address === 'object' && address ? address.port : 0));
  });
});
const wwn = (number: number) => `iqn.2003-01.org.example:t${number}`;
writeFileSync(
  join(home, 'saveconfig.json'),
  JSON.stringify({
    storage_objects: Array.from({ length: targets * lunsEach }, (_, number) => ({
      plugin: 'ramdisk',
      name: `rd${number}`,
      size: 1 << 20,
      wwn: `${String(number).padStart(8, '0')}-0000-4000-8000-000000000000`,
    })),
    targets: Array.from({ length: targets }, (_, number) => ({
      fabric: 'iscsi',
      wwn: wwn(number),
      tpgs: [
        {
          tag: 1,
          enable: true,
          attributes: { generate_node_acls: 1, authentication: 0 },
          portals: [{ ip_address: '127.0.0.1', port }],
          luns: Array.from({ length: lunsEach }, (_, lun) => ({
            index: lun,
            storage_object: `/backstores/ramdisk/rd${number * lunsEach + lun}`,
          })),
        },
      ],
    })),
  }),
);

const start = performance.now();
const child = spawn(process.execPath, [program, '--home', home, 'serve'], { stdio: ['ignore', 'pipe', 'ignore'] });
const ended = new Promise((done) => child.once('exit', done));
try {
  await new Promise<void>((ready, fail) => {
    child.stdout.once('data', () => ready());
    child.once('exit', () => fail(new Error('tcli serve ended')));
  });
  const served = (performance.now() - start) / 1000;

  const changes = 50;
  const shell = spawn(process.execPath, [program, '--home', home], { stdio: ['pipe', 'ignore', 'inherit'] });
  const before = performance.now();
  for (let number = 0; number < changes; number += 1)
    shell.stdin.write(
      `/iscsi/${wwn(number)}/tpg1/luns delete 0\n/iscsi/${wwn(number)}/tpg1/luns create /backstores/ramdisk/rd${number * lunsEach}\n`,
    );
  shell.stdin.end('set global auto_save_on_exit=false\n');
  await new Promise((done) => shell.once('exit', done));
  const change = (performance.now() - before) / changes / 2;

  const initiators: Connected[] = [];
  for (let number = 0; number < sessions; number += 1)
    initiators.push(await connectInitiator(port, wwn(number % targets), `iqn.1994-05.com.redhat:i${number}`));
  const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
  const resident = Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1024;
  for (const initiator of initiators) initiator.close();

  const measured = {
    'restore and serve, s': served,
    'resident, MiB': resident,
    'one change, ms': change,
    'sessions held': initiators.length,
  };
  for (const [what, value] of Object.entries(measured)) {
    const limit = limits[what as keyof typeof limits];
    const good = what === 'sessions held' ? value >= limit : value < limit;
    console.log(`${what.padEnd(24)} ${value.toFixed(1).padStart(8)}   limit ${limit}${good ? '' : '   PASSED'}`);
    if (!good) process.exitCode = 1;
  }
} finally {
  child.kill('SIGTERM');
  await ended;
  rmSync(home, { recursive: true });
}
