/** The shell without a screen: scripts from a pipe, and a person at a dumb terminal. Not here: what the session's commands do. */

import { PassThrough, Readable } from 'node:stream';
import { expect, test } from 'vitest';
import type { OutputSink, ShellClient } from '../../../shell/channel/protocol.ts';
import { plain } from '../../../shell/process/plain.ts';
import { FakeSession } from '../../support/fake-session.ts';

/** A fake session as a client in the same thread. */
function clientOf(session = new FakeSession()): ShellClient & { readonly lines: string[] } {
  let interrupt = new AbortController();
  const lines: string[] = [];
  return {
    lines,
    get state() {
      return session.state;
    },
    run(line: string, to: OutputSink) {
      lines.push(line);
      interrupt = new AbortController();
      return session.run(line, to, interrupt.signal);
    },
    complete: (line, cursor) => session.complete(line, cursor),
    setTerminal: (terminal) => session.setTerminal(terminal),
    interrupt: () => interrupt.abort(),
    close: async () => {},
  };
}

async function collect(stream: PassThrough): Promise<string> {
  let text = '';
  for await (const chunk of stream) text += chunk;
  return text;
}

async function run(input: Readable & { isTTY?: boolean }, client: ShellClient = clientOf()) {
  const [output, error] = [new PassThrough(), new PassThrough()];
  const texts = Promise.all([collect(output), collect(error)]);
  const status = await plain(client, { banner: ['banner'], input, output, error });
  output.end();
  error.end();
  const [out, err] = await texts;
  return { status, out, err };
}

test('a script: output and errors go their ways, nothing else is printed, and the end of the input is exit', async () => {
  const client = clientOf();
  const result = await run(Readable.from(['echo o', 'ne\r\nnonsense\necho two\ncd /iscsi']), client);
  expect(result).toEqual({ status: 0, out: 'one\ntwo\n', err: 'Command not found nonsense\n' });
  expect(client.lines).toEqual(['echo one', 'nonsense', 'echo two', 'cd /iscsi', 'exit']);
});

test('a script stops where it asks to leave', async () => {
  expect((await run(Readable.from(['echo one\nexit\necho two\n']))).out).toBe('one\n');
});

test('a script is never asked: its questions are cancelled', async () => {
  expect((await run(Readable.from(['sure\nyes\n']))).out).toBe('answer: null\n');
});

test('a person at a dumb terminal sees banner and prompts, and is asked in words', async () => {
  const input = Object.assign(Readable.from(['sure\ny\npick\n3\npick\n\ncd /iscsi\n']), { isTTY: true });
  const { out } = await run(input);
  expect(out).toMatch(/^banner\n\/> Delete all\? \(yes\/no\) answer: yes\n\/> 1\) o- node0\n2\) o- node1\n/);
  expect(out).toContain('picked: /node2\n');
  expect(out).toContain('picked: null\n');
  expect(out).toMatch(/\/iscsi> exit\n$/);
});

test('a session that is lost ends it with status 1', async () => {
  const client = { ...clientOf(), run: () => Promise.reject(new Error('gone')) };
  expect(await run(Readable.from(['ls\n']), { ...client, state: { prompt: '', path: '/', pager: true } })).toEqual({
    status: 1,
    out: '',
    err: 'tcli: the session was lost: gone\n',
  });
});
