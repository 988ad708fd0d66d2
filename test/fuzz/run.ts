// `npm run fuzz -- --inputs 100000 [--seed N]`: generated input against `tcli serve`, beside a session of another target
// that writes and reads back all the while. It fails when that session fails, when the process ends or reports an
// internal error, or when its memory grows beyond what it had after the first tenth.

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import fc from 'fast-check';
import { loginRequest } from '../../src/iscsi/pdu.ts';
import { printText } from '../../src/wire/text.ts';
import { Initiator } from '../support/initiator.ts';
import { dataOut, loginPairs, noisyCdb, noisyPdu } from './inputs.ts';

const run = promisify(execFile);
const program = resolve(import.meta.dirname, '../../dist/tcli.js');
const growthBytesMax = 128 << 20;
const answerMs = 5000;
const inputsPerBatch = 50;
const iqn = (name: string) => `iqn.2003-01.org.example:${name}`;

/** An initiator on a socket. */
class Connected {
  readonly initiator: Initiator;
  readonly socket: Socket;
  readonly closed: Promise<void>;

  constructor(port: number, target: string) {
    this.socket = connect(port, '127.0.0.1');
    this.socket.setNoDelay(true).on('error', () => {});
    this.initiator = new Initiator(iqn(target), (bytes) => this.socket.write(bytes));
    this.socket.on('data', (data) => {
      try {
        this.initiator.receive(data);
      } catch {
        // The answers to noise are not judged.
      }
    });
    this.closed = new Promise((done) => this.socket.on('close', () => done()));
  }
}

/** Writes and reads back until it is stopped. @returns how often @throws Error at the first I/O that fails */
async function healthy(port: number, stopped: () => boolean): Promise<number> {
  const { initiator, socket } = new Connected(port, 'healthy');
  initiator.next = () => waitFor(() => initiator.inbox.shift());
  await initiator.login({ MaxRecvDataSegmentLength: '65536' });
  await initiator.command([0, 0, 0, 0, 0, 0]);
  let rounds = 0;
  for (; !stopped(); rounds += 1) {
    const data = Buffer.alloc(4096, rounds);
    const place = [0, 0, 0, rounds & 0x7f, 0, 0, 0, 8, 0];
    const write = await initiator.command([0x2a, ...place], { data, immediateData: 4096 });
    const read = await initiator.command([0x28, ...place], { read: true, length: 4096 });
    if (write.status !== 0 || read.status !== 0 || !read.data.equals(data))
      throw new Error(`round ${rounds}: write ${write.status} ${write.sense}, read ${read.status} ${read.sense}`);
  }
  socket.destroy();
  return rounds;
}

async function waitFor<T>(look: () => T | undefined): Promise<T> {
  const until = Date.now() + answerMs;
  for (;;) {
    const found = look();
    if (found !== undefined) return found;
    if (Date.now() > until) throw new Error('no answer');
    await new Promise((done) => setTimeout(done, 1));
  }
}

/** Kinds of attack: each sends a batch of inputs over one connection, and does not care for answers. */
const attacks: readonly ((one: Connected, seed: number) => Promise<void>)[] = [
  async ({ socket }, seed) => {
    for (const bytes of fc.sample(fc.uint8Array({ maxLength: 300 }), { seed, numRuns: inputsPerBatch }))
      socket.write(bytes);
  },
  async ({ initiator }, seed) => {
    for (const [index, pairs] of fc.sample(loginPairs, { seed, numRuns: inputsPerBatch }).entries()) {
      const names = index === 0 ? Object.entries(initiator.names) : [];
      const values = { ...initiator.loginValues(seed & 1), transit: (seed & 2) !== 0, nextStage: 3 };
      initiator.send(loginRequest, values, printText([...names, ...pairs]));
    }
  },
  async ({ initiator }, seed) => {
    await initiator.login();
    for (const bytes of fc.sample(noisyPdu, { seed, numRuns: inputsPerBatch })) initiator.raw(bytes);
  },
  async ({ initiator }, seed) => {
    await initiator.login({ FirstBurstLength: '65536' });
    const inputs = fc.sample(fc.tuple(noisyCdb, dataOut, fc.boolean()), { seed, numRuns: inputsPerBatch });
    for (const [cdb, data, reads] of inputs)
      initiator.sendCommand([...cdb], reads ? { read: true, length: 4096 } : { data, immediateData: data.length });
  },
];

async function attack(port: number, seed: number): Promise<void> {
  const one = new Connected(port, 'attacked');
  one.initiator.isid = Uint8Array.of(0x80, 0, 0, 0, seed >> 8, seed);
  one.initiator.next = () => waitFor(() => one.initiator.inbox.shift());
  // A login is refused while the same name logs in again; what follows is then noise before a login.
  await attacks[seed % attacks.length]!(one, seed).catch(() => {});
  one.socket.end();
  await Promise.race([one.closed, new Promise((done) => setTimeout(done, 20))]);
  one.socket.destroy();
}

async function residentBytes(child: ChildProcess): Promise<number> {
  const status = await readFile(`/proc/${child.pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) * 1024;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: { inputs: { type: 'string', default: '10000' }, seed: { type: 'string', default: '1' } },
  });
  const home = await mkdtemp(join(tmpdir(), 'tcli-fuzz-'));
  const port = await freePort();
  const target = (name: string) => [
    `/backstores/ramdisk create ${name} 16M`,
    `/iscsi create ${iqn(name)}`,
    `/iscsi/${iqn(name)}/tpg1/portals create 127.0.0.1 ${port}`,
    `/iscsi/${iqn(name)}/tpg1 set attribute generate_node_acls=1 demo_mode_write_protect=0`,
    `/iscsi/${iqn(name)}/tpg1/luns create /backstores/ramdisk/${name}`,
  ];
  const lines = [
    '/ set global auto_add_default_portal=false',
    ...target('healthy'),
    ...target('attacked'),
    '/backstores/ramdisk/attacked set attribute emulate_tpu=1 emulate_tpws=1',
  ];
  await run(process.execPath, [program, '--home', home, ...lines.flatMap((line) => ['-c', line])]);
  const child = spawn(process.execPath, [program, '--home', home, 'serve'], { stdio: ['ignore', 'pipe', 'pipe'] });
  let bugs = '';
  child.stderr.on('data', (data) => {
    if (/internal error|\n\s+at /.test(String(data))) bugs += data;
  });
  let ended: number | null | undefined;
  child.once('exit', (status) => {
    ended = status;
  });
  await new Promise<void>((ready) => child.stdout.on('data', (data) => String(data).includes('Serving') && ready()));

  const batches = Math.ceil(Number(values.inputs) / inputsPerBatch);
  let stopped = false;
  let failure: unknown;
  const beside = healthy(port, () => stopped).catch((error: unknown) => {
    failure = error;
    return 0;
  });
  let settled = 0;
  let most = 0;
  for (let batch = 0; batch < batches && failure === undefined && ended === undefined; batch += 1) {
    await attack(port, Number(values.seed) + batch);
    if (batch % 20 > 0) continue;
    const now = await residentBytes(child);
    if (batch <= batches / 10) settled = Math.max(settled, now);
    most = Math.max(most, now);
  }
  stopped = true;
  const rounds = await beside;
  child.removeAllListeners('exit');
  child.kill('SIGKILL');
  await rm(home, { recursive: true, force: true });
  const mib = (bytes: number) => `${Math.round(bytes / (1 << 20))} MiB`;
  console.log(
    `${batches * inputsPerBatch} inputs, ${rounds} healthy rounds, memory ${mib(settled)} then at most ${mib(most)}`,
  );
  const wrong = [
    ...(failure === undefined ? [] : [`the healthy session failed: ${failure}`]),
    ...(ended === undefined ? [] : [`the target ended with ${ended}`]),
    ...(bugs === '' ? [] : [`the target reported: ${bugs.slice(0, 2000)}`]),
    ...(most - settled > growthBytesMax ? ['memory grew'] : []),
  ];
  for (const line of wrong) console.error(line);
  return wrong.length > 0 ? 1 : 0;
}

function freePort(): Promise<number> {
  return new Promise((done) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => done(port));
    });
  });
}

process.exitCode = await main();
