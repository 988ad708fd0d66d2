// `npm run e2e:cockpit`: packaging/cockpit in a real Chromium, from a real cockpit-ws, before a real tcli that an initiator is
// logged in to. What is clicked there is looked for from outside. `--screenshots DIRECTORY` keeps what the screen showed.

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs, promisify } from 'node:util';
import { freePort } from '../support/free-port.ts';

const run = promisify(execFile);
const root = resolve(import.meta.dirname, '../..');
const page = join(root, 'packaging/cockpit');
const program = join(root, 'dist/tcli.js');
const served = 'iqn.2003-01.org.example:served';
const refusedName = 'iqn.2003-01.org.example:nobody';
const limitMs = 60_000;

/** The part of puppeteer-core that is used here. It is installed beside the page. */
interface Tab {
  goto(url: string): Promise<unknown>;
  setViewport(size: { width: number; height: number }): Promise<void>;
  screenshot(options: { path: string }): Promise<unknown>;
  evaluate<T>(what: string): Promise<T>;
  waitForSelector(selector: string, options?: { timeout?: number; hidden?: boolean }): Promise<Element | null>;
  type(selector: string, text: string): Promise<void>;
  on(event: 'pageerror', hear: (error: Error) => void): void;
  on(event: 'console', hear: (message: { type(): string; text(): string }) => void): void;
}
interface Element {
  click(): Promise<void>;
}
interface Browser {
  newPage(): Promise<Tab>;
  close(): Promise<void>;
}

class Failure extends Error {}

const { screenshots } = parseArgs({ options: { screenshots: { type: 'string' } } }).values;
const children = new Set<ChildProcess>();

function start(command: string, words: readonly string[], env: NodeJS.ProcessEnv = {}): ChildProcess {
  const child = spawn(command, words, { stdio: 'ignore', env: { ...process.env, ...env } });
  children.add(child);
  child.once('exit', () => children.delete(child));
  return child;
}

async function main(): Promise<void> {
  await run('npm', ['ci', '--prefix', page]);
  await run('npm', ['run', 'typecheck', '--prefix', page]);
  await run('npm', ['run', 'build', '--prefix', page]);
  const home = await mkdtemp(join(tmpdir(), 'tcli-cockpit-'));
  const [port, web] = [await freePort(), await freePort()];
  const tell = (...lines: string[]) =>
    run(process.execPath, [program, '--home', home, ...lines.flatMap((line) => ['-c', line])]);
  const serve = () => start(process.execPath, [program, '--home', home, 'serve']);
  let browser: Browser | undefined;
  try {
    await tell(
      '/backstores/ramdisk create rd0 32M',
      '/ set global auto_add_default_portal=false',
      `/iscsi create ${served}`,
      `/iscsi/${served}/tpg1/portals create 127.0.0.1 ${port}`,
      `/iscsi/${served}/tpg1 set attribute generate_node_acls=1 demo_mode_write_protect=0`,
      `/iscsi/${served}/tpg1/luns create /backstores/ramdisk/rd0`,
      `/iscsi/${served}/tpg1/acls create ${refusedName}`,
    );
    let daemon = serve();
    const status = () => run(process.execPath, [program, '--home', home, 'daemon', 'status', '--json']);
    await until('tcli serves', async () => (await status()).stdout.includes('"serving": true'));
    start('iscsi-perf', [`iscsi://127.0.0.1:${port}/${served}/0`]);
    await mkdir(join(home, 'share/cockpit'), { recursive: true });
    await symlink(join(page, 'dist'), join(home, 'share/cockpit/tcli'));
    start(
      '/usr/lib/cockpit/cockpit-ws',
      ['--no-tls', `--port=${web}`, '--address=127.0.0.1', '--local-session=/usr/bin/cockpit-bridge'],
      { XDG_DATA_HOME: join(home, 'share') },
    );
    const require = createRequire(join(page, 'package.json'));
    const puppeteer = (await import(require.resolve('puppeteer-core'))) as {
      launch(options: object): Promise<Browser>;
    };
    browser = await puppeteer.launch({
      executablePath: '/usr/bin/chromium',
      args: ['--no-sandbox', '--disable-dev-shm-usage'],
    });
    const tab = await browser.newPage();
    const complaints: string[] = [];
    tab.on('pageerror', (error) => complaints.push(String(error)));
    tab.on('console', (message) => {
      if (message.type() === 'error') complaints.push(message.text());
    });
    await tab.setViewport({ width: 1280, height: 800 });
    const url = `http://127.0.0.1:${web}/cockpit/@localhost/tcli/index.html#/?socket=${encodeURIComponent(join(home, 'run/control.sock'))}`;
    await until('cockpit-ws answers', async () => (await fetch(`http://127.0.0.1:${web}/ping`)).ok);
    await tab.goto(url);
    const at = screen(tab);

    await at.sees('Serving 1 target, 1 session');
    await at.sees(`Socket: ${join(home, 'run/control.sock')}`);
    await until('the plot shows what the initiator reads', async () =>
      /Throughput: read [1-9][\d.]* [KMG]iB\/s/.test(
        await tab.evaluate('document.querySelector("svg[role=img]").ariaLabel'),
      ),
    );
    await at.keeps('overview');

    // A disk, a target and an ACL with CHAP, by one window.
    await at.press('Create and share a disk');
    const file = join(home, 'made.img');
    await at.fills({
      file,
      size: '64M',
      initiator: 'iqn.1994-05.com.redhat:one',
      user: 'alice',
      password: 'secretsecret1',
    });
    await at.keeps('create');
    await at.press('Create', 'dialog');
    await at.closes();
    await at.sees('Serving 2 targets');
    const made = (await tell('ls /iscsi 1')).stdout.match(/iqn\S+:made/)?.[0];
    if (!made) throw new Failure('no target was made');
    await at.press('Disks');
    await at.sees(file);
    await at.sees('64 MiB');
    await at.keeps('disks');

    await at.press('Resize', 'made');
    await at.fills({ size: '128M' });
    await at.press('Resize', 'dialog');
    await at.closes();
    await at.sees('128 MiB');

    await at.press('Targets');
    await at.sees(made);
    await at.keeps('targets');

    // An initiator without an ACL is refused, and shown with the reason.
    await tell(`/iscsi/${made}/tpg1/portals delete 0.0.0.0 3260`).catch(() => {});
    await tell(`/iscsi/${made}/tpg1/portals create 127.0.0.1 ${port}`);
    await run('iscsi-inq', ['-i', refusedName, `iscsi://127.0.0.1:${port}/${made}/0`]).catch(() => {});
    await at.press('Refused');
    await at.sees(refusedName);
    await at.sees('no ACL for');
    await at.keeps('refused');
    // The initiator with an ACL logs in, with the secret that was typed.
    const came = await run('iscsi-inq', [
      '-i',
      'iqn.1994-05.com.redhat:one',
      `iscsi://alice%secretsecret1@127.0.0.1:${port}/${made}/0`,
    ]);
    if (!came.stdout.includes('LIO-ORG')) throw new Failure(`not the disk that was made: ${came.stdout}`);

    await at.press('Initiators');
    await at.press('CHAP', refusedName);
    await at.fills({ user: 'bob', password: 'anothersecret' });
    await at.keeps('chap');
    await at.press('Set', 'dialog');
    await at.closes();
    await at.sees('one-way');
    // A refusal is shown in the window, which stays.
    await at.press('Create and share a disk');
    await at.fills({ file: '/nowhere/at/all.img', size: '1M' });
    await at.press('Create', 'dialog');
    await at.sees('/nowhere/at');
    await at.keeps('refusal');
    await at.press('Cancel', 'dialog');
    await at.closes();

    await at.press('Undo');
    await at.sees('To take it back');
    await at.keeps('undo');
    // A change of another shell meanwhile is not in the window.
    await tell('/backstores/ramdisk create meanwhile 1M');
    await at.press('Undo', 'dialog');
    await at.closes();
    await until('it was taken back', async () =>
      (await tell(`/iscsi/${served}/tpg1 get attribute authentication`)).stdout.includes('authentication=0'),
    );
    if (!(await tell('ls /backstores/ramdisk')).stdout.includes('meanwhile'))
      throw new Failure('another change was taken back than the one that was shown');

    // The daemon goes, and comes again.
    daemon.kill('SIGKILL');
    await at.sees('tcli does not answer');
    await at.keeps('gone');
    daemon = serve();
    await at.sees('Serving 2 targets');
    const ours = complaints.filter((text) => !/favicon|Failed to load resource/.test(text));
    if (ours.length > 0) throw new Failure(`the page complained: ${ours.join('; ')}`);
    console.log('cockpit: all steps passed');
  } finally {
    await browser?.close().catch(() => {});
    for (const child of children) child.kill('SIGKILL');
    await sleep(200);
    await rm(home, { recursive: true, force: true });
  }
}

/** The actions of a person with the page. */
function screen(tab: Tab) {
  const textOf = () => tab.evaluate<string>('document.body.innerText');
  return {
    async sees(text: string): Promise<void> {
      await until(`"${text}" is on the screen`, async () => (await textOf()).includes(text), textOf);
    },
    /** @param where in the window that is open, or in the row that has this text */
    async press(button: string, where?: string): Promise<void> {
      const within =
        where === 'dialog'
          ? 'document.querySelector("[role=dialog]")'
          : where === undefined
            ? 'document'
            : `[...document.querySelectorAll("tr")].find((row) => row.innerText.includes(${JSON.stringify(where)}))`;
      await until(
        `a button ${button} can be pressed`,
        () =>
          tab.evaluate<boolean>(`(() => {
          const found = [...(${within}?.querySelectorAll("button") ?? [])].find((one) => one.innerText.trim() === ${JSON.stringify(button)} && !one.disabled && !one.hidden);
          found?.click();
          return Boolean(found);
        })()`),
        textOf,
      );
    },
    /** The window has done what it was asked for. */
    async closes(): Promise<void> {
      await tab.waitForSelector('[role=dialog]', { hidden: true, timeout: limitMs });
    },
    async fills(fields: Readonly<Record<string, string>>): Promise<void> {
      for (const [id, text] of Object.entries(fields)) {
        await tab.waitForSelector(`[role=dialog] #${id}`, { timeout: limitMs });
        await tab.type(`[role=dialog] #${id}`, text);
      }
    },
    async keeps(name: string): Promise<void> {
      if (!screenshots) return;
      await mkdir(screenshots, { recursive: true });
      await tab.screenshot({ path: join(screenshots, `${name}.png`) });
    },
  };
}

async function until(what: string, look: () => Promise<boolean>, shown = async () => ''): Promise<void> {
  const end = performance.now() + limitMs;
  while (!(await look().catch(() => false))) {
    if (performance.now() > end)
      throw new Failure(`Waited ${limitMs / 1000} s in vain until ${what}. ${await shown()}`);
    await sleep(200);
  }
}

await main().catch((error) => {
  console.error(error instanceof Failure ? error.message : error);
  process.exitCode = 1;
});
