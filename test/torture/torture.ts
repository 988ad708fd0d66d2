// Kills the target with -9, again and again, in the middle of changes and writes, and looks each time whether what was
// acknowledged is there: the configuration, and every sector that was flushed or written with FUA. Beside that, another one
// serves media that fail (promises.ts), and is paused and killed.
// `npm run torture -- --minutes 5 [--kills N] [--rounds N] [--seed S]`. Power loss is not tested: the page cache outlives the
// process.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { openControl } from '../support/control-client.ts';
import { freePort } from '../support/free-port.ts';
import { has, type Need } from '../support/needs.ts';
import { randomOf } from '../support/random.ts';
import { canonical, emptyModel, type Model, modelOf, randomChange } from './configuration.ts';
import { TortureDisk } from './disk.ts';
import { type FragileKind, fragileMedium, Promises } from './promises.ts';
import { ServedTarget } from './served-target.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string' },
    kills: { type: 'string' },
    rounds: { type: 'string' },
    seed: { type: 'string' },
  },
});
const seed = Number(values.seed ?? Date.now() % 1_000_000);
const end = Date.now() + Number(values.minutes ?? 5) * 60_000;
const killsMax = Number(values.kills ?? Number.POSITIVE_INFINITY);
const roundsMax = Number(values.rounds ?? Number.POSITIVE_INFINITY);
const random = randomOf(seed);
const program = resolve(import.meta.dirname, '../../dist/tcli.js');
const home = mkdtempSync(join(tmpdir(), 'tcli-torture-'));
const fixed = { object: 'disk', wwn: 'iqn.2003-01.org.example:disk' };
if (spawnSync('sh', ['-c', 'command -v qemu-io && command -v stdbuf']).status !== 0)
  throw new Error('torture writes by qemu-io, which is not installed: apt install qemu-utils qemu-block-extra');

const port = await freePort();
writeFileSync(join(home, 'disk.img'), Buffer.alloc(1 << 20));
writeFileSync(
  join(home, 'saveconfig.json'),
  JSON.stringify({
    storage_objects: [{ plugin: 'fileio', name: 'disk', dev: join(home, 'disk.img'), size: 1 << 20, wwn: 'a1' }],
    targets: [
      {
        fabric: 'iscsi',
        wwn: fixed.wwn,
        tpgs: [
          {
            tag: 1,
            enable: true,
            attributes: { generate_node_acls: 1, demo_mode_write_protect: 0, authentication: 0 },
            portals: [{ ip_address: '127.0.0.1', port }],
            luns: [{ index: 0, storage_object: '/backstores/fileio/disk' }],
          },
        ],
      },
    ],
  }),
);

interface Serving {
  readonly child: ChildProcess;
  readonly ended: Promise<unknown>;
}

async function start(): Promise<Serving> {
  const child = spawn(process.execPath, [program, '--home', home, 'serve'], { stdio: ['ignore', 'pipe', 'pipe'] });
  let log = '';
  child.stderr.on('data', (data) => {
    log = (log + data).slice(-4096);
  });
  const ended = new Promise((done) => child.once('exit', done));
  await Promise.race([
    new Promise((ready) => child.stdout.once('data', ready)),
    ended.then((status) => Promise.reject(new Error(`tcli serve ended with ${status}:\n${log}`))),
  ]);
  return { child, ended };
}

const disk = new TortureDisk({ port, wwn: fixed.wwn, random });
let model: Model = emptyModel;
const counts = { kills: 0, stops: 0, changes: 0, losses: 0 };
let serial = 0;

/** Changes until the process goes away. @returns what would be there if the change in flight was carried out */
async function change(): Promise<Model | undefined> {
  let inFlight: Model | undefined;
  try {
    const control = await openControl(home);
    for (;;) {
      serial += 1;
      const { request, after } = randomChange(model, random, serial);
      inFlight = after;
      const reply = await control.ask(request);
      if (reply.error?.includes('is stopping')) return undefined;
      if (reply.is === 'failed') throw new Refused(`${JSON.stringify(request)}: ${reply.error}`);
      model = after;
      inFlight = undefined;
      counts.changes += 1;
      if (random() < 0.3) await sleep(random() * 5);
    }
  } catch (error) {
    if (error instanceof Refused) throw error;
    return inFlight;
  }
}

class Refused extends Error {}

function lose(what: string): void {
  counts.losses += 1;
  console.error(`LOST (seed ${seed}, after ${counts.kills} kills): ${what}`);
}

async function check(inFlight: Model | undefined): Promise<void> {
  const control = await openControl(home);
  const reply = await control.ask({ do: 'configuration' });
  control.close();
  const found = modelOf(reply['configuration'], fixed);
  const allowed = [model, ...(inFlight ? [inFlight] : [])].map(canonical);
  if (!allowed.includes(canonical(found)))
    lose(`configuration\n  is      ${canonical(found)}\n  and not ${allowed.join('\n  nor     ')}`);
  model = found;
  for (const line of await disk.check()) lose(line);
}

/** How long a medium is used before the next one. */
const roundMs = 6_000;
const fragileKinds: readonly { kind: FragileKind; needs: readonly Need[] }[] = [
  { kind: 'NBD export', needs: ['nbdkit'] },
  { kind: 'file', needs: ['nbdkit', 'nbdfuse', 'fuse'] },
  { kind: 'block device', needs: ['nbdkit', 'nbdfuse', 'fuse', 'loop devices'] },
  { kind: 'full disk', needs: ['mounts', 'loop devices'] },
];

/** Rounds on media that fail, one after the other. @returns a line of figures */
async function breakPromises(): Promise<string> {
  const kinds = fragileKinds.filter(({ needs }) => needs.every(has));
  const total: Record<string, number> = { rounds: 0 };
  if (kinds.length === 0) return 'no media that fail on this machine';
  const random = randomOf(seed + 1);
  while (Date.now() < end && total['rounds']! < roundsMax) {
    const { kind } = kinds[total['rounds']! % kinds.length]!;
    total['rounds']! += 1;
    const folder = mkdtempSync(join(tmpdir(), 'tcli-torture-'));
    const medium = await fragileMedium(kind, folder);
    const target = new ServedTarget(join(folder, 'home'), await freePort());
    const promises = new Promises(medium, target, random);
    try {
      await target.configure(medium.create, medium.create.replace(/ create (\w+) .*/, '/$1'));
      await target.start();
      await promises.run(Date.now() + roundMs);
    } catch (error) {
      promises.violations.push(`${error instanceof Error ? error.stack : error}\n${target.log}`);
    } finally {
      await target.kill();
      await medium.close();
    }
    for (const violation of promises.violations) lose(`on a ${kind}: ${violation}`);
    for (const [what, count] of Object.entries(promises.counts)) total[what] = (total[what] ?? 0) + count;
    if (promises.violations.length === 0) rmSync(folder, { recursive: true });
  }
  return `on media that fail (${kinds.map(({ kind }) => kind).join(', ')}): ${Object.entries(total)
    .map(([what, count]) => `${count} ${what}`)
    .join(', ')}`;
}

const breaking = breakPromises();
console.log(`seed ${seed}, in ${home}`);
let serving = await start();
try {
  await check(undefined);
  while (Date.now() < end && counts.kills < killsMax) {
    const changing = change();
    changing.catch(() => {});
    const writing = disk.write();
    const tool = random() < 0.3 ? disk.runTool() : undefined;
    await sleep(random() ** 2 * 800);
    const gently = random() < 0.1;
    serving.child.kill(gently ? 'SIGTERM' : 'SIGKILL');
    const status = await serving.ended;
    if (gently && status !== 0) lose(`SIGTERM: it ended with ${status}`);
    tool?.kill('SIGKILL');
    counts[gently ? 'stops' : 'kills'] += 1;
    const inFlight = await changing;
    await writing;
    serving = await start();
    await check(inFlight);
  }
} catch (error) {
  lose(error instanceof Error ? error.message : String(error));
} finally {
  serving.child.kill('SIGKILL');
  await serving.ended;
}
console.log(await breaking);
const { kills, stops, changes, losses } = counts;
console.log(
  `${kills} kills, ${stops} stops, ${changes} changes, ${disk.writes} writes, ${disk.flushes} flushes, ` +
    `${disk.toolWrites} writes of qemu-io; ${losses} losses`,
);
if (losses > 0) process.exitCode = 1;
else rmSync(home, { recursive: true });
