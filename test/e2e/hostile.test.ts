// Bytes that are no iSCSI, connections that say nothing, and files that are no configuration, beside an initiator that
// must not notice. Not tested here: hostile PDUs within a session (fuzz/, conformance/iscsi).

import { writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { needs } from '../support/needs.ts';
import { configure, freePort, openTarget, run, serve, targetUrl, tcli, temporaryDirectory } from '../support/tcli.ts';

/** A small generator with a seed, so that a failure comes again. */
function randomBytes(seed: number, length: number): Buffer {
  let state = seed;
  return Buffer.from(
    Array.from({ length }, () => {
      state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
      return state >> 16;
    }),
  );
}

const bhs = (fields: Record<number, number>): Buffer => {
  const header = Buffer.alloc(48);
  for (const [at, byte] of Object.entries(fields)) header[Number(at)] = byte;
  return header;
};

const attacks: Record<string, Buffer> = {
  'another protocol': Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(10)),
  'half a header': bhs({ 0: 0x43 }).subarray(0, 20),
  'a login PDU that promises 16 MiB': bhs({ 0: 0x43, 1: 0x87, 5: 0xff, 6: 0xff, 7: 0xff }),
  'a SCSI command before the login': bhs({ 0: 0x01, 1: 0xc0 }),
  'an opcode that is none': bhs({ 0: 0x3f }),
  'additional header segments without end': bhs({ 0: 0x43, 4: 0xff }),
  'a login with text that is no text': Buffer.concat([bhs({ 0: 0x43, 1: 0x87, 7: 64 }), randomBytes(1, 64)]),
  zeros: Buffer.alloc(4096),
};

/** Sends `bytes`, then waits until the target closes or has been silent for long enough. */
function attack(port: number, bytes: Buffer): Promise<void> {
  return new Promise((done) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
    socket.on('error', () => {}).on('close', () => done());
    socket.resume();
    setTimeout(() => socket.destroy(), 200);
  });
}

it('no bytes on a port disturb another initiator', needs('iscsi-perf', 'iscsi-inq'), async () => {
  const home = temporaryDirectory();
  const port = await freePort();
  await configure(home, '/backstores/ramdisk create rd0 16M', ...openTarget(port, '/backstores/ramdisk/rd0'));
  const served = await serve(home);
  const url = targetUrl(port);
  const healthy = run('iscsi-perf', ['-t', '4', '-b', '8', '-m', '16', url]);
  const idle = Array.from({ length: 100 }, () => connect(port, '127.0.0.1').on('error', () => {}));
  for (const bytes of Object.values(attacks)) await attack(port, bytes);
  for (let seed = 1; seed <= 40; seed += 1)
    await Promise.all([attack(port, randomBytes(seed, 500)), attack(port, randomBytes(-seed, 48))].slice(seed % 2));
  const { status, stdout } = await healthy;
  for (const socket of idle) socket.destroy();
  expect(stdout).toMatch(/iops average [1-9]/);
  expect(status).toBe(0);
  expect((await run('iscsi-inq', [url])).stdout).toContain('LIO-ORG');
  expect(served.log()).not.toContain('internal error');
});

it.each([
  ['no JSON', '{"storage_objects": ['],
  ['a list', '[]'],
  ['text where lists should be', '{"storage_objects": "x", "targets": 7}'],
])('a saveconfig.json that is %s: a clear error, and the file stays', async (_name, text) => {
  const home = temporaryDirectory();
  const file = join(home, 'saveconfig.json');
  await writeFile(file, text);
  for (const words of [['ls'], ['serve'], ['saveconfig']]) {
    const { status, stderr } = await tcli(home, words);
    expect(status, words[0]).toBe(1);
    expect(stderr).not.toMatch(/internal error| at .*\.js/);
    expect(stderr.split('\n')[0]).not.toBe('');
  }
  expect((await run('cat', [file])).stdout).toBe(text);
});

it('a configuration whose objects make no sense is reported part by part, and the rest is served', async () => {
  const home = temporaryDirectory();
  const good = { plugin: 'ramdisk', name: 'good', size: 1048576, wwn: 's' };
  await writeFile(
    join(home, 'saveconfig.json'),
    JSON.stringify({
      storage_objects: [7, good, { plugin: 'fileio', name: '../x', size: -5, dev: 'x' }],
      targets: [{}, null],
    }),
  );
  const served = await serve(home);
  expect(served.log()).toContain("'wwn' not defined in target 0");
  expect((await tcli(home, ['ls', '/backstores'])).stdout).toContain('o- good ');
});
