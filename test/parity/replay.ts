/** Does again what was recorded, with this program: in a folder of its own, where the machine's files have their place. */

import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { OutputSink } from '../../shell/channel/protocol.ts';
import { programVersion } from '../../shell/nodes/root-commands.ts';
import { readArguments } from '../../shell/process/arguments.ts';
import { programHelp } from '../../shell/process/program-help.ts';
import { bannerOf, runScript, untilExit } from '../../shell/process/script.ts';
import { Preferences } from '../../shell/session/preferences.ts';
import { ShellSession } from '../../shell/session/session.ts';
import { type Home, type Host, lastWords, openHost } from '../../src/index.ts';
import { Guest } from './guest.ts';
import type { RecordedStep, Recording } from './recording.ts';
import { resyncs } from './resync.ts';

export interface Replayed {
  readonly step: RecordedStep;
  /** The output of this program, in the recording's names for things. */
  readonly shown: readonly RecordedLine[];
  readonly exit: number | undefined;
}

export interface RecordedLine {
  readonly text: string;
  /** Whether the line follows an error and says what to do: targetcli has no such lines. */
  readonly hint: boolean;
}

/** Folders of the recording machines, each with a place in ours. */
const folders = ['/srv', '/tmp', '/root', '/mnt/share', '/etc/rtslib-fb-target'] as const;
/** Further things of the machines: files, and devices over files. */
const files = { '/srv/exist.img': 31_457_280 } as const;
const devices = [
  { name: '/dev/loop0', bytes: 67_108_864, options: [] },
  { name: '/dev/loop1', bytes: 33_554_432, options: ['--read-only'] },
  { name: '/dev/vdb', bytes: 67_108_864, options: [] },
] as const;
/** Commands of the machine that change what the next lines find. */
const effective = /^(?:mv|test|sed|head|cp|echo|python3 -c "import json)/;

/** Everything that was recorded in one file, done again in order. */
export async function replay(recording: Recording): Promise<Replayed[]> {
  const world = new World();
  const before = process.cwd();
  try {
    const done: Replayed[] = [];
    process.chdir(world.into('/root'));
    const host = await openHost({ home: world.home, role: 'shell' });
    const guest = new Guest(host);
    const typed = session(host, recording, false);
    if (recording.prefixes) await run(typed, 'set global color_mode=false', false);
    for (const step of recording.steps) {
      if (step.kind === 'unix') {
        world.unix(step.text);
        guest.saw(step);
        continue;
      }
      const text = world.into(step.text);
      if (step.kind === 'tab') {
        const { candidates } = await typed.complete(text, text.length);
        const shown = candidates.map((one) => ({ text: world.outOf(one.text, recording.columns), hint: false }));
        done.push({ step, shown, exit: undefined });
        continue;
      }
      if (step.kind === 'piped') {
        const { lines, ok } = await runPiped(host, recording, text);
        const shown = lines.map((line) => ({ ...line, text: world.outOf(line.text, recording.columns) }));
        done.push({ step, shown, exit: ok ? 0 : 1 });
        continue;
      }
      const oneShot = step.kind === 'words';
      const current = oneShot ? session(host, recording, true) : typed;
      const { prompt } = current.state;
      const { lines, ok } = await (oneShot ? runWords(current, text, recording.marked) : run(current, text, false));
      const shown = lines.map((line) => ({ ...line, text: world.outOf(line.text, recording.columns) }));
      for (const line of renaming(host, step.shown, shown)) await run(current, line, false);
      done.push({
        step,
        shown: oneShot ? shown : [{ text: world.outOf(prompt, recording.columns), hint: false }, ...shown],
        exit: oneShot ? (ok ? 0 : 1) : undefined,
      });
      for (const { recording: of, after, unix, lines: repair, called, operation } of resyncs) {
        if (!of.test(recording.name) || !after.test(step.text)) continue;
        if (unix) world.unix(unix);
        if (called) world.call(...called);
        if (operation) await host.root.apply(operation);
        for (const line of repair) await run(current, world.into(line), false);
      }
    }
    await host.close();
    return done;
  } finally {
    process.chdir(before);
    world.end();
  }
}

/** Lines by which a target that chance named gets the name that it got in the recording. */
function renaming({ root: { tree } }: Host, recorded: readonly string[], shown: readonly RecordedLine[]): string[] {
  const created = (lines: readonly string[]) => /Created target (\S+)\.$/m.exec(lines.join('\n'))?.[1];
  const [there, here] = [created(recorded), created(shown.map(({ text }) => text))];
  const target = there !== here && [...tree.targets()].find(({ wwn }) => wwn === here);
  return target ? [`/${target.fabric.name} delete ${here}`, `/${target.fabric.name} create ${there}`] : [];
}

function session(host: Host, { columns, color }: Recording, oneShot: boolean, cwd = '/'): ShellSession {
  const made = new ShellSession(host, Preferences.open(host.home.stateDirectory), {
    cwd,
    bareErrors: oneShot,
    saveOnExit: !oneShot,
  });
  made.setTerminal({ columns, color, interactive: false });
  return made;
}

/** Runs the program with lines on standard input, called targetcli. */
async function runPiped(
  host: Host,
  recording: Recording,
  text: string,
): Promise<{ lines: RecordedLine[]; ok: boolean }> {
  const { lastPath } = Preferences.open(host.home.stateDirectory);
  const piped = session(host, recording, false, lastPath);
  let said = bannerOf(programVersion)
    .map((line) => `${line}\n`)
    .join('');
  const say = (more: string) => {
    said += more;
  };
  const { signal } = new AbortController();
  const options = { to: { write: say, ask: async () => null }, stopAtError: false, say };
  const client = {
    get state() {
      return piped.state;
    },
    run: (line: string, to: OutputSink) => piped.run(line, to, signal),
    interrupt: () => {},
  };
  const ok = await runScript(client, untilExit(text.split('\n'), options), options);
  return {
    lines: said
      .trimEnd()
      .split('\n')
      .map((line) => ({ text: line, hint: false })),
    ok,
  };
}

/** Runs the program with arguments, which a Unix shell takes apart before. */
async function runWords(
  session: ShellSession,
  text: string,
  marked: boolean,
): Promise<{ lines: RecordedLine[]; ok: boolean }> {
  const words = Array.from(text.matchAll(/(?:[^\s"']+|"[^"]*"|'[^']*')+/g), ([word]) => word.replace(/["']/g, ''));
  const said = (answer: string, mark = '') =>
    answer.split('\n').map((line, at) => ({ text: mark + line, hint: mark !== '' && at > 0 }));
  try {
    const { wants } = readArguments(words);
    if (wants.kind === 'command') return await run(session, wants.line, marked);
    return {
      lines: said(wants.kind === 'help' ? programHelp().trimEnd() : `tcli version ${programVersion}`),
      ok: true,
    };
  } catch (error) {
    return { lines: said(lastWords(error), 'E| '), ok: false };
  }
}

/** @param marked standard error is told apart, as one-shot recordings do */
async function run(
  session: ShellSession,
  line: string,
  marked: boolean,
): Promise<{ lines: RecordedLine[]; ok: boolean }> {
  const lines: RecordedLine[] = [];
  let complained = false;
  const write = (text: string, stream: 'output' | 'error') => {
    for (const one of text.replace(/\n$/, '').split('\n'))
      lines.push({ text: stream === 'error' && marked ? `E| ${one}` : one, hint: stream === 'error' && complained });
    complained ||= stream === 'error';
  };
  const { ok } = await session.run(line, { write, ask: async () => null }, new AbortController().signal);
  return { lines, ok };
}

/** The machine of a recording, in a folder. */
class World {
  readonly #root = mkdtempSync('/tmp/parity-');
  readonly #names: [recorded: string, here: string][];
  readonly #shownAs: [here: string, recorded: string][] = [];
  readonly #devices: string[] = [];
  readonly home: Home;

  constructor() {
    for (const folder of folders) mkdirSync(join(this.#root, folder), { recursive: true });
    for (const [path, bytes] of Object.entries(files)) this.#file(path, bytes);
    this.#names = folders.map((folder) => [folder, join(this.#root, folder)]);
    for (const device of devices) this.#device(device);
    const config = join(this.#root, '/etc/rtslib-fb-target');
    this.home = {
      saveFile: join(config, 'saveconfig.json'),
      backupDirectory: join(config, 'backup'),
      stateDirectory: join(this.#root, 'state'),
      runDirectory: join(this.#root, 'run'),
    };
  }

  /** Recorded names → those that things have here. */
  into(text: string): string {
    const names = new Map(this.#names);
    const recorded = [...names.keys()].map(escaped).join('|');
    return text.replace(new RegExp(`(?<![\\w/.:-])(${recorded})(?![\\w.-])`, 'g'), (name) => names.get(name) ?? name);
  }

  /** The other way round, of one line; a tree's dots reach as far as they would have. */
  outOf(line: string, columns: number): string {
    let there = line;
    for (const [name, recorded] of this.#shownAs) there = there.replaceAll(name, recorded);
    for (const [recorded, name] of this.#names)
      there = there.replaceAll(name, recorded).replaceAll(dashed(name), dashed(recorded));
    return there === line ? line : dotted(there, columns);
  }

  /** A name of ours that is to be shown as another. */
  call(recorded: string, here: string): void {
    this.#shownAs.push([this.into(here), recorded]);
  }

  unix(command: string): void {
    if (command.startsWith('losetup -d')) this.#detach();
    if (!effective.test(command)) return;
    try {
      execFileSync('sh', ['-c', this.into(command)], { stdio: 'ignore', timeout: 10_000 });
    } catch {
      // A step that fails on the machine and here shows in later answers.
    }
  }

  end(): void {
    this.#detach();
    rmSync(this.#root, { recursive: true, force: true });
  }

  #file(path: string, bytes: number): string {
    const here = join(this.#root, path);
    writeFileSync(here, '');
    truncateSync(here, bytes);
    return here;
  }

  /** A loop device, where that is allowed; else the recorded name stays and is not found. */
  #device({ name: recorded, bytes, options }: (typeof devices)[number]): void {
    try {
      const file = this.#file(`${recorded.slice(1).replace('/', '-')}.img`, bytes);
      const name = execFileSync('losetup', ['--show', ...options, '-f', file], {
        encoding: 'utf8',
        stdio: 'pipe',
      }).trim();
      this.#devices.push(name);
      this.#names.push([recorded, name]);
    } catch {}
  }

  #detach(): void {
    for (const device of this.#devices.splice(0)) execFileSync('losetup', ['-d', device], { stdio: 'ignore' });
  }
}

const dashed = (path: string): string => path.slice(1).replaceAll('/', '-');
const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

function dotted(line: string, columns: number): string {
  const [, name, status] = /^((?:[| ] )*[o+]- \S+) \.* \[(.*)\]$/.exec(line) ?? [];
  if (name === undefined || status === undefined) return line;
  return `${name} ${'.'.repeat(Math.max(0, columns - 4 - status.length - name.length))} [${status}]`;
}
