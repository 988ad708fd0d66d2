// `npm run fuzz -- [--inputs 100000] [--seed N] [--loops N]`: malformed input against `tcli serve`, beside sessions of
// another target in the same event loop (unless there are more) that write and read back all the while. It fails when
// one of them fails, when the process ends or reports an internal error, when its memory grows, and when connections,
// sessions or descriptors of the attack are left when it is over.

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { inspect, parseArgs, promisify } from 'node:util';
import { freePort } from '../support/free-port.ts';
import { randomOf } from '../support/random.ts';
import { TestFrontEnd } from '../support/vhost-front-end.ts';
import { Attacker, attacks, iqn } from './attacks.ts';
import { attackImports, attackTgt } from './tgt-attacks.ts';
import { attackVhost } from './vhost-attacks.ts';

const run = promisify(execFile);
/** The program as it is shipped: the launcher gives its limits of memory. */
const program = resolve(import.meta.dirname, '../../shell/bin/tcli');
const inputsPerBatch = 50;
/** The growth of the process that is allowed beyond its most in the first fifth, when every path has been taken. */
const growthBytesMax = 48 << 20;

interface Progress {
  /** The healthy initiators and guests that have had an answer. */
  begun: number;
  rounds: number;
  guestRounds: number;
  slowestMs: number;
  failure: unknown;
}

/**
 * Writes and reads back, with immediate data and with R2Ts, until it is stopped; the first I/O that fails ends it. With
 * digests data is copied, without it is sent and received where it lies: each has its half of the LUN.
 */
async function healthy(port: number, progress: Progress, digests: boolean, stopped: () => boolean): Promise<void> {
  const one = new Attacker(port, 'healthy');
  const { initiator } = one;
  if (digests) initiator.isid = Uint8Array.of(0x80, 0, 0, 0, 0, 2);
  const digest = digests ? 'CRC32C' : 'None';
  await initiator.login({ MaxRecvDataSegmentLength: '65536', HeaderDigest: digest, DataDigest: digest });
  await initiator.command([0, 0, 0, 0, 0, 0]);
  progress.begun += 1;
  for (; !stopped(); progress.rounds += 1) {
    const { rounds } = progress;
    const blocks = rounds % 8 === 0 ? 256 : 8;
    const data = Buffer.alloc(blocks * 512, rounds);
    const place = [0, 0, 0, (rounds & 0x3f) | (digests ? 0x40 : 0), 0, 0, blocks >> 8, blocks & 0xff, 0];
    const began = performance.now();
    const write = await initiator.command([0x2a, ...place], { data, immediateData: Math.min(data.length, 4096) });
    const read = await initiator.command([0x28, ...place], { read: true, length: data.length });
    progress.slowestMs = Math.max(progress.slowestMs, performance.now() - began);
    if (write.status !== 0 || read.status !== 0 || !read.data.equals(data))
      throw new Error(`round ${rounds}: write ${write.status} ${write.sense}, read ${read.status} ${read.sense}`);
  }
  one.close();
}

/** A driver of its own vhost target that does the same, in two queues. */
async function healthyGuest(home: string, progress: Progress, stopped: () => boolean): Promise<void> {
  const driver = await TestFrontEnd.connect(vhostSocket(home, 'healthy'), [16, 16, 64, 64]);
  await driver.start();
  await driver.command([0]);
  progress.begun += 1;
  for (; !stopped(); progress.guestRounds += 1) {
    const { guestRounds: rounds } = progress;
    const blocks = rounds % 8 === 0 ? 128 : 8;
    const data = Buffer.alloc(blocks * 512, rounds);
    const place = [0, 0, 0, rounds & 0x3f, 0, 0, blocks >> 8, blocks & 0xff, 0];
    const ring = driver.rings[2 + (rounds % 2)]!;
    const write = await driver.command([0x2a, ...place], { dataOut: data, ring, piece: 4096 });
    const read = await driver.command([0x28, ...place], { dataIn: data.length, ring, piece: 4096 });
    if (write.status !== 0 || read.status !== 0 || !read.data.equals(data))
      throw new Error(`guest round ${rounds}: write ${write.status} ${write.sense}, read ${read.status} ${read.sense}`);
  }
  driver.close();
}

const vhostName = { healthy: 'naa.5001405000000001', attacked: 'naa.5001405000000002' } as const;
const vhostSocket = (home: string, which: keyof typeof vhostName) => join(home, 'run', `${vhostName[which]}.vhost`);

async function residentBytes({ pid }: ChildProcess): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) * 1024;
}

/** The open files of a process, `socket:[1234]`, by number; without the journal, which is open from a change to the next save. */
async function descriptors({ pid }: ChildProcess): Promise<Map<string, string>> {
  const numbers = await readdir(`/proc/${pid}/fd`);
  const named = numbers.map(async (number) => {
    const what = await readlink(`/proc/${pid}/fd/${number}`).catch(() => 'closed meanwhile');
    return [number, what] as const;
  });
  return new Map((await Promise.all(named)).filter(([, what]) => !what.endsWith('/journal.jsonl')));
}

const mib = (bytes: number): string => `${Math.round(bytes / (1 << 20))} MiB`;

async function configure(home: string, port: number): Promise<void> {
  const target = (name: string, attributes: string) => [
    `/backstores/ramdisk create ${name} 16M`,
    `/iscsi create ${iqn(name)}`,
    `/iscsi/${iqn(name)}/tpg1/portals create 127.0.0.1 ${port}`,
    `/iscsi/${iqn(name)}/tpg1 set attribute generate_node_acls=1 demo_mode_write_protect=0 ${attributes}`,
    `/iscsi/${iqn(name)}/tpg1/luns create /backstores/ramdisk/${name}`,
  ];
  const lines = [
    '/ set global auto_add_default_portal=false',
    ...target('healthy', ''),
    ...target('attacked', ''),
    ...target('secured', 'authentication=1'),
    `/iscsi/${iqn('secured')}/tpg1 set auth userid=user password=secret mutual_userid=disk mutual_password=another`,
    `/iscsi/${iqn('attacked')}/tpg1 set parameter InitialR2T=No DataPDUInOrder=No MaxOutstandingR2T=4 MaxConnections=2`,
    '/backstores/ramdisk/attacked set attribute emulate_tpu=1 emulate_tpws=1',
    ...Object.entries(vhostName).flatMap(([name, wwn]) => [
      `/backstores/ramdisk create vhost-${name} 16M`,
      `/vhost create ${wwn}`,
      `/vhost/${wwn}/tpg1/luns create /backstores/ramdisk/vhost-${name}`,
    ]),
  ];
  await run(program, ['--home', home, ...lines.flatMap((line) => ['-c', line])]);
}

/** A batch of inputs, over as many connections as the target ends. @returns how many inputs reached it */
async function attack(port: number, seed: number): Promise<{ name: string; inputs: number; connections: number }> {
  const { name, target, begin, inputs } = attacks[seed % attacks.length]!;
  let one: Attacker | undefined;
  let connections = 0;
  let delivered = 0;
  for (const send of inputs(seed, inputsPerBatch)) {
    if (!one?.open) {
      one = new Attacker(port, target);
      connections += 1;
      await begin(one);
    }
    delivered += 1;
    await send(one);
  }
  one?.close();
  return { name, inputs: delivered, connections };
}

/** A batch of inputs by front-ends and guests. */
async function attackGuest(home: string, seed: number): Promise<{ name: string; inputs: number; connections: number }> {
  const connect = () => TestFrontEnd.connect(vhostSocket(home, 'attacked'));
  return { name: 'vhost', ...(await attackVhost(connect, randomOf(seed), inputsPerBatch, () => sleep(1))) };
}

/** A batch of requests of tgt's tools, or of configurations that somebody damaged. */
async function attackByTgt(home: string, seed: number): Promise<{ name: string; inputs: number; connections: number }> {
  const random = randomOf(seed);
  return random() < 0.5
    ? { name: 'tgt', ...(await attackTgt(join(home, 'tgt.0'), home, random, inputsPerBatch)) }
    : { name: 'import', ...(await attackImports(home, random, inputsPerBatch)) };
}

/** The kind of a batch, by its number: every fourth is a guest's, every eighth tgt's. */
function nextAttack(home: string, port: number, batch: number, seed: number) {
  if (batch % 4 === 3) return attackGuest(home, seed);
  return batch % 8 === 5 ? attackByTgt(home, seed) : attack(port, seed);
}

async function main(): Promise<number> {
  const number = (value: string) => ({ type: 'string', default: value }) as const;
  const { values } = parseArgs({ options: { inputs: number('10000'), seed: number('1'), loops: number('0') } });
  const home = await mkdtemp(join(tmpdir(), 'tcli-fuzz-'));
  const port = await freePort();
  await configure(home, port);
  const words = ['--home', home, 'serve', '--loops', values.loops, '--log-level', 'warning', '--tgtadm'];
  for (const disk of ['a', 'b']) await writeFile(join(home, disk), Buffer.alloc(1 << 20));
  const env = { ...process.env, TGT_IPC_SOCKET: join(home, 'tgt') };
  const child = spawn(program, words, { stdio: ['ignore', 'pipe', 'pipe'], env });
  let bugs = '';
  child.stderr.on('data', (data) => {
    if (/internal error|\n\s+at /.test(String(data))) bugs += data;
  });
  let ended: string | undefined;
  child.once('exit', (status, signal) => {
    ended = String(status ?? signal);
  });
  await new Promise<void>((ready) => child.stdout.on('data', (data) => String(data).includes('Serving') && ready()));

  let stopped = false;
  const progress: Progress = { begun: 0, rounds: 0, guestRounds: 0, slowestMs: 0, failure: undefined };
  const healthyOnes = [
    ...[false, true].map((digests) => healthy(port, progress, digests, () => stopped)),
    healthyGuest(home, progress, () => stopped),
  ];
  const beside = Promise.all(healthyOnes).catch((error: unknown) => {
    progress.failure = error;
  });
  // Connections of healthy ones are there to stay, and count among the descriptors of before.
  while (progress.begun < healthyOnes.length && progress.failure === undefined) await sleep(1);
  const before = { bytes: await residentBytes(child), descriptors: await descriptors(child) };

  const counts = new Map<string, { inputs: number; connections: number }>();
  const wanted = Number(values.inputs);
  const samples: { inputs: number; bytes: number }[] = [];
  let inputs = 0;
  let trouble: unknown;
  for (let batch = 0; inputs < wanted && progress.failure === undefined && ended === undefined; batch += 1) {
    const seed = Number(values.seed) + batch;
    const done = await nextAttack(home, port, batch, seed).catch((error: unknown) => {
      trouble = error;
    });
    if (!done) break;
    const count = counts.get(done.name) ?? { inputs: 0, connections: 0 };
    counts.set(done.name, {
      inputs: count.inputs + done.inputs,
      connections: count.connections + done.connections,
    });
    inputs += done.inputs;
    if (batch % 10 === 0) samples.push({ inputs, bytes: await residentBytes(child) });
  }

  const wrong: string[] = [];
  if (trouble !== undefined) wrong.push(`what had to be answered was not: ${inspect(trouble)}`);
  if (ended === undefined) {
    // State of the attack dies with its sockets, which the target hears of a little later.
    let left = before;
    for (let tries = 0; tries < 50; tries += 1) {
      left = { bytes: await residentBytes(child), descriptors: await descriptors(child) };
      if (left.descriptors.size <= before.descriptors.size) break;
      await sleep(100);
    }
    const { stdout } = await run(program, ['--home', home, 'sessions', '--json']);
    const sessions = (JSON.parse(stdout) as { data: { targetWwn: string }[] }).data;
    const others = sessions.filter(({ targetWwn }) => ![iqn('healthy'), vhostName.healthy].includes(targetWwn));
    if (others.length > 0) wrong.push(`${others.length} sessions of the attack are left`);
    const more = [...left.descriptors].filter(([number, what]) => before.descriptors.get(number) !== what);
    if (left.descriptors.size > before.descriptors.size)
      wrong.push(
        `descriptors: ${before.descriptors.size} before, ${left.descriptors.size} after; not there before: ${more.map(([, what]) => what).join(', ')}`,
      );
    samples.push({ inputs, bytes: left.bytes });
  }
  stopped = true;
  await beside;
  child.removeAllListeners('exit');
  child.kill('SIGKILL');
  await rm(home, { recursive: true, force: true });

  const most = (from: number, to: number) =>
    Math.max(
      ...samples.filter((one) => one.inputs >= from * inputs && one.inputs <= to * inputs).map((one) => one.bytes),
    );
  const fifths = [0, 1, 2, 3, 4].map((fifth) => most(fifth / 5, (fifth + 1) / 5));
  for (const [name, { inputs: count, connections }] of counts)
    console.log(`${name}: ${count} inputs over ${connections} connections`);
  console.log(`${inputs} inputs, seed ${values.seed}, loops ${values.loops}`);
  console.log(
    `healthy sessions: ${progress.rounds} rounds of write and read, the slowest ${Math.round(progress.slowestMs)} ms; ` +
      `healthy guest: ${progress.guestRounds} rounds`,
  );
  console.log(`resident memory: ${mib(before.bytes)} before, at most ${fifths.map(mib).join(', ')} in each fifth`);
  if (progress.failure !== undefined) wrong.push(`a healthy session failed: ${progress.failure}`);
  if (ended !== undefined) wrong.push(`the target ended with ${ended}`);
  if (bugs !== '') wrong.push(`the target reported: ${bugs.slice(0, 2000)}`);
  if (fifths[4]! - fifths[0]! > growthBytesMax) wrong.push('memory grew');
  for (const line of wrong) console.error(`FAILED: ${line}`);
  return wrong.length > 0 ? 1 : 0;
}

process.exitCode = await main();
