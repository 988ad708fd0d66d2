// The control socket of a home that is open in this process, spoken to as a program would. Not here: the shell's own words
// (test/shell/channel/session-server.test.ts), the built program (test/e2e/daemon.test.ts).

import { once } from 'node:events';
import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { type Control, type ControlOptions, listenControl } from '../../src/daemon/control.ts';
import { controlSocketOf, messageBytesMax } from '../../src/daemon/control-protocol.ts';
import { controlRequests } from '../../src/daemon/control-requests.ts';
import { FrameReader } from '../../src/daemon/frames.ts';
import { homeOf } from '../../src/durable/home.ts';
import { OperatorError } from '../../src/errors.ts';
import type { LogRecord } from '../../src/log.ts';
import { type Host, openHost } from '../../src/root/host.ts';
import { listeningSocket } from '../support/listening-socket.ts';
import { needs } from '../support/needs.ts';
import { run, temporaryDirectory } from '../support/tcli.ts';

interface Fixture {
  readonly host: Host;
  readonly control: Control;
  readonly path: string;
  readonly logged: LogRecord[];
}

async function listen(options: Partial<ControlOptions> = {}): Promise<Fixture> {
  const home = homeOf(temporaryDirectory(), {}, undefined);
  const host = await openHost({ home, role: 'serve' });
  const logged: LogRecord[] = [];
  const control = await listenControl({
    host,
    role: 'serve',
    startedBy: { what: 'hand' },
    version: '1.2.3',
    log: (record) => void logged.push(record),
    createSession: () => ({ receive: () => false, hangUp: () => {} }),
    ...options,
  });
  onTestFinished(async () => {
    await control.close();
    await host.close();
  });
  return { host, control, path: controlSocketOf(home), logged };
}

/** A program at the socket. */
class Program {
  readonly socket: Socket;
  readonly ended: Promise<unknown>;
  #messages: unknown[] = [];
  #waiting: ((message: unknown) => void) | undefined;

  constructor(path: string) {
    this.socket = connect(path);
    const reader = new FrameReader(messageBytesMax);
    this.socket.on('data', (bytes) => {
      for (const message of reader.read(bytes)) {
        const waiting = this.#waiting;
        this.#waiting = undefined;
        if (waiting) waiting(message);
        else this.#messages.push(message);
      }
    });
    this.socket.on('error', () => {});
    this.ended = new Promise((resolve) => this.socket.once('close', resolve));
    onTestFinished(() => void this.socket.destroy());
  }

  say(...messages: unknown[]): this {
    for (const message of messages) this.socket.write(`${JSON.stringify(message)}\n`);
    return this;
  }

  hear(): Promise<unknown> {
    if (this.#messages.length > 0) return Promise.resolve(this.#messages.shift());
    return new Promise((resolve) => {
      this.#waiting = resolve;
    });
  }
}

const opened = async (path: string, opening: object = {}) => {
  const program = new Program(path).say({ tcli: 1, ...opening });
  expect(await program.hear()).toEqual({ tcli: 1, version: '1.2.3', pid: process.pid, role: 'serve' });
  return program;
};

it('is there for its owner alone, and takes the place of what a killed process left', async () => {
  const home = homeOf(temporaryDirectory(), {}, undefined);
  await mkdir(dirname(controlSocketOf(home)), { recursive: true });
  writeFileSync(controlSocketOf(home), 'stale');
  const host = await openHost({ home, role: 'serve' });
  const log = () => {};
  const createSession = () => ({ receive: () => false, hangUp: () => {} });
  const control = await listenControl({
    host,
    role: 'serve',
    startedBy: { what: 'hand' },
    version: '1.2.3',
    log,
    createSession,
  });
  const stats = statSync(controlSocketOf(home));
  expect([stats.isSocket(), stats.mode & 0o777]).toEqual([true, 0o600]);
  await opened(controlSocketOf(home));
  await control.close();
  await host.close();
  expect(() => statSync(controlSocketOf(home))).toThrow(/ENOENT/);
});

it('apply, configuration, save and status: a program changes what the shell shows', async () => {
  const { host, path } = await listen();
  const program = await opened(path);
  program.say({
    id: 1,
    do: 'apply',
    operation: { path: '/backstores/ramdisk', verb: 'create', params: { name: 'rd0', size: 1 << 20 } },
  });
  expect(await program.hear()).toMatchObject({ id: 1, is: 'applied', operation: { verb: 'create' } });
  expect(host.root.tree.storageObject('/backstores/ramdisk/rd0')?.name).toBe('rd0');
  expect(await program.say({ id: 2, do: 'status' }).hear()).toMatchObject({
    id: 2,
    status: { storageObjects: 1, unsavedOperations: 1, clients: 1 },
  });
  expect(await program.say({ id: 3, do: 'configuration' }).hear()).toMatchObject({
    id: 3,
    configuration: { storage_objects: [{ name: 'rd0' }] },
  });
  expect(await program.say({ id: 4, do: 'save' }).hear()).toEqual({
    id: 4,
    is: 'saved',
    path: host.home.saveFile,
    backup: false,
  });
  expect(host.unsavedOperations).toBe(0);
});

it("an operator's error is answered with `failed`, and the connection goes on", async () => {
  const { path } = await listen();
  const program = await opened(path);
  const wrong = [
    { do: 'apply', operation: { path: '/nosuch', verb: 'create' } },
    { do: 'apply', operation: { path: '/', verb: 'constructor' } },
    { do: 'apply' },
    { do: 'apply', operation: { path: '/', verb: 'clearconfig', params: [] } },
    { do: 'save', backups: -1 },
    { do: 'stop' },
  ];
  for (const [id, request] of wrong.entries())
    expect(await program.say({ id, ...request }).hear()).toMatchObject({ id, is: 'failed', error: expect.any(String) });
  expect(await program.say({ id: 9, do: 'status' }).hear()).toMatchObject({ id: 9, is: 'status' });
});

it('parameters that are believed of a journal are refused from a client', async () => {
  const { host, path } = await listen();
  const program = await opened(path);
  const params = { name: 'rd0', size: 1 << 20, settled: { config: { size: -5 }, attributes: { constructor: 1 } } };
  program.say({ id: 1, do: 'apply', operation: { path: '/backstores/ramdisk', verb: 'create', params } });
  expect(await program.hear()).toMatchObject({ operation: { params: { settled: { config: { size: 1 << 20 } } } } });
  expect(host.root.tree.storageObject('/backstores/ramdisk/rd0')?.config).toEqual({ size: 1 << 20 });
});

it('another version of the protocol, no JSON and too long a message are refused in words', async () => {
  const { path } = await listen();
  const old = new Program(path).say({ tcli: 0 });
  expect(await old.hear()).toMatchObject({ tcli: 1, error: expect.stringContaining('version 1 of the protocol') });
  await old.ended;
  const odd = await opened(path);
  odd.socket.write('hello\n');
  expect(await odd.hear()).toMatchObject({ error: 'a message is not JSON' });
  await odd.ended;
  const endless = await opened(path);
  endless.socket.write(Buffer.alloc(messageBytesMax + 1, 0x20));
  expect(await endless.hear()).toMatchObject({ error: expect.stringContaining('more than') });
});

it('a session is told where its client stands, what it says, and that it is gone', async () => {
  const heard: unknown[] = [];
  const { path } = await listen({
    createSession: (opening, post) => ({
      receive: (message) => {
        post({ id: 1, is: 'done', opening, message });
        return true;
      },
      hangUp: () => void heard.push('gone'),
    }),
  });
  const program = await opened(path, { session: { cwd: '/iscsi', workingDirectory: '/srv', unknown: 1 } });
  program.say({ id: 1, do: 'run', line: 'ls' });
  expect(await program.hear()).toMatchObject({
    opening: { cwd: '/iscsi', workingDirectory: '/srv' },
    message: { do: 'run', line: 'ls' },
  });
  program.socket.end();
  await program.ended;
  await expect.poll(() => heard).toEqual(['gone']);
});

it('a session that cannot be had is refused with its reason', async () => {
  const refuse = () => {
    throw new OperatorError('Preferences file is not valid JSON.', 'Mend it.');
  };
  const { path } = await listen({ createSession: refuse });
  expect(await new Program(path).say({ tcli: 1, session: {} }).hear()).toEqual({
    tcli: 1,
    error: 'Preferences file is not valid JSON.',
    hint: 'Mend it.',
  });
  expect(await new Program(path).say({ tcli: 1, session: { cwd: 7 } }).hear()).toMatchObject({
    error: 'session.cwd must be a string',
  });
});

it('a client that does not read is dropped, and nobody else notices', async () => {
  const flood = 'x'.repeat(1 << 20);
  const { path, logged, control } = await listen({
    createSession: (_opening, post) => ({
      receive: () => {
        for (let count = 0; count < 40; count += 1) post({ id: 0, is: 'output', stream: 'output', text: flood });
        return true;
      },
      hangUp: () => {},
    }),
  });
  const slow = await opened(path, { session: {} });
  slow.socket.pause();
  const other = await opened(path);
  slow.say({ id: 1, do: 'run', line: 'ls' });
  await expect.poll(() => logged.map(({ event }) => event)).toEqual(['control client dropped']);
  expect(await other.say({ id: 1, do: 'status' }).hear()).toMatchObject({ status: { clients: 1 } });
  expect(control.status().clients).toBe(1);
});

it('a TCP socket that was passed on as the control socket is refused: on a network everybody could come', async () => {
  const passed = await listeningSocket('127.0.0.1');
  if (!passed) return;
  const { control } = await listen({ inherited: passed.fd });
  expect(control.problem).toContain('is no Unix socket');
  const client = connect(passed.port, '127.0.0.1');
  await expect(once(client, 'connect')).rejects.toThrow('ECONNREFUSED');
});

it('100 clients at once, each with its own answers', async () => {
  const { path } = await listen();
  const programs = await Promise.all(Array.from({ length: 100 }, () => opened(path)));
  const create = (number: number) => ({
    id: number,
    do: 'apply',
    operation: { path: '/backstores/ramdisk', verb: 'create', params: { name: `rd${number}`, size: 1 << 20 } },
  });
  const replies = await Promise.all(programs.map((program, number) => program.say(create(number)).hear()));
  for (const [number, reply] of replies.entries())
    expect(reply).toMatchObject({ id: number, is: 'applied', operation: { params: { name: `rd${number}` } } });
});

it('docs/protocol.md: its operations can be applied as they stand, and its requests are the ones there are', async () => {
  const { host, path } = await listen();
  const program = await opened(path);
  const text = readFileSync(join(import.meta.dirname, '../../docs/protocol.md'), 'utf8');
  const operations = [...text.matchAll(/^\{"path": .*\}$/gm)].map(([line]) => JSON.parse(line));
  expect(operations.length).toBeGreaterThan(4);
  for (const [id, operation] of operations.entries())
    expect(await program.say({ id, do: 'apply', operation }).hear()).toMatchObject({ id, is: 'applied' });
  expect([...host.root.tree.tpgs()][0]?.luns.size).toBe(1);
  const documented = text.slice(text.indexOf('## Control requests'), text.indexOf('## A shell session'));
  const requests = [...documented.matchAll(/^\| `\{"id": \d+, "do": "(\w+)"/gm)].map(([, word]) => word);
  expect(requests).toEqual(Object.keys(controlRequests));
});

it('an opening whose version is no number is refused, and is no bug of this program', async () => {
  const { path, logged } = await listen();
  for (const tcli of [{ toString: 1 }, { toJSON: 1 }, '\x1b[2J', [], null]) {
    const heard = (await new Program(path).say({ tcli }).hear()) as { error: string };
    expect(heard.error).toMatch(/^This tcli speaks version 1 of the protocol, not [ -~]+\.$/);
  }
  expect(logged).toEqual([]);
});

const becomeOther = needs('root', 'setpriv', 'python3');

/** The words that user 65534 gets from the socket: `groups` are options of setpriv. */
async function otherHears(path: string, ...groups: string[]): Promise<unknown> {
  for (let folder = dirname(dirname(path)); folder !== '/tmp' && folder !== '/'; folder = dirname(folder))
    chmodSync(folder, 0o755);
  const script = `import socket,sys
s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.sendall(b'{"tcli":1}\\n'); print(s.recv(65536).decode())`;
  const { stdout, stderr } = await run('setpriv', ['--reuid=65534', ...groups, '/usr/bin/python3', '-c', script, path]);
  return stdout ? JSON.parse(stdout) : /\w+Error/.exec(stderr)?.[0];
}

const stranger = ['--regid=65534', '--clear-groups'];

it('another user is refused by who they are, also where the modes would let them in', becomeOther, async () => {
  const { path } = await listen();
  expect(await otherHears(path, ...stranger)).toBe('PermissionError');
  chmodSync(path, 0o666);
  chmodSync(dirname(path), 0o755);
  expect(await otherHears(path, ...stranger)).toEqual({ tcli: 1, error: 'user 65534 may not control this process' });
});

it('--group lets its members in, by either kind of membership, and nobody else', becomeOther, async () => {
  const group = 54_321;
  const { path } = await listen({ group });
  const modes = [path, dirname(path)].map((at) => statSync(at)).map(({ mode, gid }) => [mode & 0o777, gid]);
  expect(modes).toEqual([
    [0o660, group],
    [0o710, group],
  ]);
  const welcome = expect.objectContaining({ tcli: 1, role: 'serve' });
  expect(await otherHears(path, `--regid=${group}`, '--clear-groups')).toEqual(welcome);
  expect(await otherHears(path, '--regid=65534', `--groups=100,${group}`)).toEqual(welcome);
  expect(await otherHears(path, ...stranger)).toBe('PermissionError');
  chmodSync(path, 0o666);
  chmodSync(dirname(path), 0o755);
  expect(await otherHears(path, ...stranger)).toEqual({ tcli: 1, error: 'user 65534 may not control this process' });
});

it('more shells than there is room for: the one that was idle the longest goes, and whoever comes gets in', async () => {
  const { path, control } = await listen();
  const shells: Program[] = [];
  for (let count = 0; count < 256; count += 1) {
    const shell = new Program(path).say({ tcli: 1, session: {} });
    await shell.hear();
    shells.push(shell);
  }
  await shells[0]!.say({ id: 1, do: 'status' }).hear();
  const owner = new Program(path).say({ tcli: 1 });
  expect(await owner.hear()).toMatchObject({ tcli: 1, role: 'serve' });
  await shells[1]!.ended;
  expect(control.status().clients).toBe(256);
  expect(await shells[0]!.say({ id: 2, do: 'status' }).hear()).toMatchObject({ is: 'status' });
});

it('a change is known by the user of the process that asked, and logged without secrets', needs('koffi'), async () => {
  const logged: LogRecord[] = [];
  const home = homeOf(temporaryDirectory(), {}, undefined);
  const host = await openHost({ home, role: 'serve', log: (record) => void logged.push(record) });
  await listen({ host });
  const program = new Program(controlSocketOf(home));
  program.say(
    { tcli: 1 },
    { id: 1, do: 'apply', operation: { path: '/iscsi', verb: 'create', params: { wwn: 'iqn.2003-01.org.example:t' } } },
  );
  const params = { userid: 'me', password: 'verysecret' };
  program.say({ id: 2, do: 'apply', operation: { path: '/iscsi', verb: 'add_account', params } });
  await program.hear();
  await program.hear();
  await program.hear();
  const { changes } = await host.history.all();
  expect(changes.map(({ by }) => [by?.via, by?.user])).toEqual(changes.map(() => ['socket', userInfo().username]));
  expect(logged).toMatchObject([
    { event: 'changed', detail: { via: 'socket', line: '/iscsi create wwn=iqn.2003-01.org.example:t' } },
    { event: 'changed', detail: { line: '/iscsi add_account userid=me password=***', change: changes[1]!.change } },
  ]);
});
