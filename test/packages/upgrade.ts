/**
 * The Debian package is replaced by a newer one, as `apt upgrade` does it, in a Debian that systemd-nspawn boots, while an initiator
 * (QEMU's, by libiscsi) writes in one session. Not measured here: Linux's initiator (`npm run e2e:linux`).
 */

import { execFile, execFileSync, spawn } from 'node:child_process';
import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

/** The longest wait for a machine that boots, a service that starts, an initiator that comes back. */
const waitMs = 180_000;

/** The claim of a step, and its outcome. */
type Check = (what: string, isSo: boolean) => void;

const run = (command: string, ...words: string[]): string =>
  execFileSync(command, words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'], maxBuffer: 1 << 26 });

/**
 * Proves an upgrade and a removal in a machine of its own, on the network of this one.
 * @param root a Debian with systemd, in which the package is installed and serves a disk at `url` when tcli.service runs
 * @param deb the package
 */
export async function upgrades(root: string, deb: string, url: string, check: Check): Promise<void> {
  const newer = newerVersion(root, deb);
  run('chroot', root, 'systemctl', 'enable', '-q', 'tcli.service', 'tcli.socket');
  const words = ['-q', '-D', root, '--boot', '--register=no', '--keep-unit'];
  const machine = spawn('systemd-nspawn', words, { stdio: ['ignore', 'ignore', 'inherit'] });
  const ended = new Promise<void>((done) => machine.once('close', () => done()));
  try {
    const leader = await awaited('a machine that boots', () => leaderOf(machine.pid!));
    const enter = ['-a', '-t', String(leader)];
    const inside = (...line: string[]) => run('nsenter', ...enter, ...line);
    const beside = (...line: string[]) => promisify(execFile)('nsenter', [...enter, ...line]);
    await awaited('tcli.service', () => (isActive(inside) ? true : undefined));
    const initiator = await openInitiator(url);
    const restart = await initiator.gapOf(beside('systemctl', 'restart', 'tcli.service'));
    const before = mainPid(inside);
    const upgrade = await initiator.gapOf(beside('dpkg', '-i', '/newer.deb'));
    check('the newer version is installed', inside('dpkg', '-s', 'tcli').includes(`\nVersion: ${newer}\n`));
    check('and a new process serves', isActive(inside) && mainPid(inside) !== before);
    check('no command of the session failed, and what it wrote is there', await initiator.close());
    console.log(`longest time without an answer: ${restart} ms in a restart, ${upgrade} ms in an upgrade`);
    inside('apt-get', 'purge', '-y', '-qq', 'tcli');
    check('purging ends the service', !isActive(inside) && !existsSync(join(root, 'usr/lib/tcli')));
    const kept = ['etc/tcli/saveconfig.json', 'srv/disk0.img'].filter((one) => existsSync(join(root, one)));
    check('and keeps configuration and data', kept.length === 2);
  } finally {
    // nspawn has the machine power off.
    machine.kill('SIGTERM');
    await ended;
  }
}

type Inside = (...line: string[]) => string;

const isActive = (inside: Inside): boolean => {
  try {
    return inside('systemctl', 'show', '-P', 'ActiveState', 'tcli.service').trim() === 'active';
  } catch {
    return false;
  }
};

const mainPid = (inside: Inside): string => inside('systemctl', 'show', '-P', 'MainPID', 'tcli.service').trim();

/** The same package with a higher version, in `/newer.deb`. @returns the version */
function newerVersion(root: string, deb: string): string {
  const tree = join(root, 'var/tmp/newer');
  run('dpkg-deb', '-R', deb, tree);
  const control = join(tree, 'DEBIAN/control');
  const text = readFileSync(control, 'utf8');
  const version = `${/^Version: (.*)$/m.exec(text)?.[1]}+newer`;
  writeFileSync(control, text.replace(/^Version: .*$/m, `Version: ${version}`));
  run('dpkg-deb', '--build', '--root-owner-group', '-Zgzip', '-z1', tree, join(root, 'newer.deb'));
  rmSync(tree, { recursive: true });
  cpSync(deb, join(root, 'tcli.deb'));
  return version;
}

/** The first process of the machine that a systemd-nspawn runs. */
function leaderOf(pid: number): number | undefined {
  const path = `/proc/${pid}/task/${pid}/children`;
  const children = existsSync(path) ? readFileSync(path, 'utf8').trim().split(' ').filter(Boolean).map(Number) : [];
  for (const child of children) {
    const isInit = readFileSync(`/proc/${child}/status`, 'utf8').match(/^NSpid:.*\t1$/m);
    const found = isInit ? child : leaderOf(child);
    if (found !== undefined) return found;
  }
  return undefined;
}

async function awaited<T>(what: string, look: () => T | undefined): Promise<T> {
  for (const begin = performance.now(); performance.now() - begin < waitMs; await sleep(100)) {
    const found = look();
    if (found !== undefined) return found;
  }
  throw new Error(`${what}: waited for in vain`);
}

/** One session that writes a block after the other, each once the one before was answered. */
async function openInitiator(url: string) {
  const child = spawn('qemu-io', ['-f', 'raw', '-t', 'none', url], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  let writes = 0;
  let failed = 0;
  const command = async (line: string): Promise<string> => {
    child.stdin.write(`${line}\n`);
    for (;;) {
      const { value, done } = await lines.next();
      if (done) throw new Error('qemu-io has ended');
      if (/^(qemu-io> )?(wrote|read) \d|failed|error/i.test(value)) return value;
    }
  };
  const blocks = 1024;
  const patternOf = (number: number) => 1 + (number % 251);
  const write = async () => {
    const answer = await command(`write -P ${patternOf(writes)} ${(writes % blocks) * 4096} 4096`);
    if (!answer.includes('wrote 4096/4096')) failed += 1;
    writes += 1;
  };
  await write();
  return {
    /** @returns the longest time without an answer while something is done, and a little longer, in ms */
    async gapOf(what: Promise<unknown>): Promise<number> {
      let longest = 0;
      let isDone = false;
      const doing = what.finally(() => {
        isDone = true;
      });
      doing.catch(() => {});
      for (let after = 0; after < 20; after += isDone ? 1 : 0) {
        const begin = performance.now();
        await write();
        longest = Math.max(longest, performance.now() - begin);
      }
      await doing;
      return Math.round(longest);
    },
    /** @returns whether every command succeeded, and the blocks hold what was written last */
    async close(): Promise<boolean> {
      for (let number = Math.max(0, writes - blocks); number < writes; number += 50) {
        const answer = await command(`read -P ${patternOf(number)} ${(number % blocks) * 4096} 4096`);
        if (!answer.includes('read 4096/4096')) failed += 1;
      }
      child.stdin.end('quit\n');
      return failed === 0 && writes > 40;
    },
  };
}
