/**
 * `npm run bench:shell`: how fast the shell is with a large tree. Keystroke to screen with 1,000 LUNs: from a key typed into a
 * terminal until what it draws has arrived, median and 95th percentile of 200 keys. `ls` of 10,000 LUNs: from the line to the last byte.
 * `top` of 1,000 LUNs without I/O: the CPU time of the program that draws it, and what the process that serves takes more than
 * without it, as a share of one core: of five looks with it and five without, the medians.
 * I/O of one of the LUNs beside `top` and without it, in turns: the median of the ratios, and how far the figures without it differ.
 * Exit status 1 when the median is above 16 ms, the `ls` above 300 ms, `top` above 1 %, or I/O beside it slower by more than
 * twice what they differ by, and by 2 %.
 */

import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Preferences } from '../../shell/session/preferences.ts';
import { ShellSession } from '../../shell/session/session.ts';
import { homeOf, openHost } from '../../src/index.ts';
import { freePort } from '../support/free-port.ts';
import { TestTerminal } from '../support/terminal.ts';
import { loads } from './loads.ts';
import { median } from './samples.ts';
import { busyMsOf } from './servers.ts';

const program = resolve(import.meta.dirname, '../../dist/tcli.js');
const keystrokeMsMax = 16;
const lsMsMax = 300;
/** The share of one core that `top` may take. */
const topShareMax = 0.01;
/** How often its CPU time is looked at, and how long each time. */
const topLooks = 5;
const topMs = 8_000;
/** The time after which what begins has begun, and what it does over and over is compiled. */
const settleMs = 10_000;
/** The loads that go on beside `top`, each so often and so long. */
const ioLoads: readonly string[] = ['qemu-img read 4k qd32', 'qemu-img write 4k qd32', 'qemu-img read 128k qd32'];
const ioRounds = 7;
const ioSeconds = 2;
const keys = 200;
const iqn = 'iqn.2003-01.org.example:many';

/** A saved configuration of a target with so many LUNs on ramdisks of a mebibyte, open to everybody at `port` where there is one. */
function configuration(luns: number, port: number | undefined): string {
  const numbers = Array.from({ length: luns }, (_, at) => at);
  return JSON.stringify({
    fabric_modules: [],
    storage_objects: numbers.map((at) => ({ plugin: 'ramdisk', name: `rd${at}`, size: 1 << 20, attributes: {} })),
    targets: [
      {
        fabric: 'iscsi',
        wwn: iqn,
        tpgs: [
          {
            tag: 1,
            enable: true,
            luns: numbers.map((at) => ({ index: at, storage_object: `/backstores/ramdisk/rd${at}` })),
            attributes: { generate_node_acls: 1, demo_mode_write_protect: 0, authentication: 0 },
            portals: port === undefined ? [] : [{ ip_address: '127.0.0.1', port }],
            node_acls: [],
          },
        ],
      },
    ],
  });
}

async function inHome<T>(luns: number, measure: (home: string) => Promise<T>, port?: number): Promise<T> {
  const home = mkdtempSync(join(tmpdir(), 'tcli-bench-'));
  try {
    writeFileSync(join(home, 'saveconfig.json'), configuration(luns, port));
    return await measure(home);
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

/** Milliseconds from each key to what it draws, in order of size. */
async function keystrokes(home: string): Promise<number[]> {
  const terminal = new TestTerminal(process.execPath, [program, '--home', home], { columns: 100 });
  try {
    await terminal.until('\n/> ▏');
    const line = `/iscsi/${iqn}/tpg1/luns/ create /backstores/ramdisk/rd`;
    const times: number[] = [];
    for (let at = 0; times.length < keys; at = (at + 1) % line.length) {
      if (at === 0) terminal.type('\x15');
      await sleep(20);
      const typed = line.slice(0, at + 1);
      const start = performance.now();
      terminal.type(typed.at(-1)!);
      await terminal.until((picture) => picture.includes(`/> ${typed}▏`));
      times.push(performance.now() - start);
    }
    return times.sort((a, b) => a - b);
  } finally {
    terminal.kill();
    // The shell has started a daemon, which outlives it.
    spawnSync(process.execPath, [program, '--home', home, 'daemon', 'stop']);
  }
}

/** Milliseconds of `ls`, the fastest of three. */
async function ls(home: string): Promise<number> {
  const host = await openHost({ home: homeOf(home, {}, undefined), role: 'command' });
  try {
    const session = new ShellSession(host, Preferences.open(undefined));
    const times: number[] = [];
    for (let round = 0; round < 3; round += 1) {
      let bytes = 0;
      const write = (text: string) => {
        bytes += text.length;
      };
      const start = performance.now();
      await session.run(`ls /iscsi/${iqn}`, { write, ask: async () => null }, new AbortController().signal);
      times.push(performance.now() - start);
      if (bytes < 1_000_000) throw new Error(`ls printed ${bytes} characters only`);
    }
    return Math.min(...times);
  } finally {
    await host.close();
  }
}

/** The share of a core that the processes take together once they have begun. */
async function shareOf(...pids: readonly number[]): Promise<number> {
  const all = () => pids.reduce((sum, pid) => sum + busyMsOf(pid), 0);
  await sleep(settleMs);
  const shares: number[] = [];
  for (let look = 0; look < topLooks; look += 1) {
    const [before, start] = [all(), performance.now()];
    await sleep(topMs);
    shares.push((all() - before) / (performance.now() - start));
  }
  return median(shares);
}

/** Serves the home, and does something with the process that does. */
async function served<T>(home: string, work: (pid: number) => Promise<T>): Promise<T> {
  const server = spawn(process.execPath, [program, '--home', home, 'serve'], { stdio: ['ignore', 'pipe', 'ignore'] });
  try {
    for await (const text of server.stdout) if (String(text).includes('Serving')) break;
    return await work(server.pid!);
  } finally {
    server.kill('SIGKILL');
  }
}

/** Does something while `top` shows the home. */
async function besideTop<T>(home: string, work: (pid: number) => Promise<T>): Promise<T> {
  const terminal = new TestTerminal(process.execPath, [program, '--home', home, 'top'], { columns: 100, rows: 40 });
  try {
    await terminal.until('of 1000');
    return await work(terminal.pid);
  } finally {
    terminal.kill();
  }
}

/** The share of `top` without traffic. */
const topShare = (home: string): Promise<number> =>
  served(home, async (server) => {
    const without = await shareOf(server);
    return (await besideTop(home, (client) => shareOf(server, client))) - without;
  });

/** How many times as fast I/O is beside `top`, by the name of the load: the median, and the spread of the figures without it. */
const ioBesideTop = (home: string, port: number): Promise<Map<string, { ratio: number; spread: number }>> =>
  served(home, async () => {
    const found = new Map<string, { ratio: number; spread: number }>();
    for (const { name, run } of loads.filter((load) => ioLoads.includes(load.name))) {
      const rate = async () => (await run([`iscsi://127.0.0.1:${port}/${iqn}/0`], ioSeconds, 'qemu-img')).iops;
      await rate();
      const [without, ratios]: [number[], number[]] = [[], []];
      for (let round = 0; round < ioRounds; round += 1) {
        without.push(await rate());
        ratios.push((await besideTop(home, rate)) / without.at(-1)!);
      }
      const middle = median(without);
      found.set(name, {
        ratio: median(ratios),
        spread: median(without.map((one) => Math.abs(one - middle))) / middle,
      });
    }
    return found;
  });

const times = await inHome(1_000, keystrokes);
const at = (share: number): number => times[Math.floor(times.length * share)] ?? Number.NaN;
const whole = await inHome(10_000, ls);
process.stdout.write(
  `keystroke to screen, 1,000 LUNs: median ${at(0.5).toFixed(1)} ms, p95 ${at(0.95).toFixed(1)} ms\n`,
);
process.stdout.write(`ls of 10,000 LUNs: ${whole.toFixed(0)} ms\n`);
const share = await inHome(1_000, topShare);
process.stdout.write(`top of 1,000 LUNs without I/O: ${(share * 100).toFixed(2)} % of a core\n`);
const port = await freePort();
const beside = await inHome(1_000, (home) => ioBesideTop(home, port), port);
for (const [name, { ratio, spread }] of beside)
  process.stdout.write(
    `${name} beside top: x${ratio.toFixed(3)}; without it, figures differ by ${(spread * 100).toFixed(1)} %\n`,
  );
const isSlowed = [...beside.values()].some(({ ratio, spread }) => 1 - ratio > 2 * Math.max(spread, topShareMax));
process.exitCode = at(0.5) <= keystrokeMsMax && whole <= lsMsMax && share <= topShareMax && !isSlowed ? 0 : 1;
