/** A session behind a channel, and behind a real worker. Not here: what the session's commands do. */

import { expect, test } from 'vitest';
import { connectThread } from '../../../shell/channel/client-thread.ts';
import type { OutputSink, ShellBackend, ShellClient, ShellReply } from '../../../shell/channel/protocol.ts';
import { isRequest, serveSession } from '../../../shell/channel/session-server.ts';
import { OperatorError } from '../../../src/errors.ts';
import { buildPrograms } from '../../support/build-programs.ts';
import { FakeSession } from '../../support/fake-session.ts';

const TERMINAL = { columns: 80, color: false, interactive: true };

/** Sends requests to a served session and waits for the reply that ends the last. */
function serve(session: ShellBackend) {
  const replies: ShellReply[] = [];
  let ended: (() => void) | undefined;
  const server = serveSession(session, (reply) => {
    replies.push(reply);
    if (reply.is === 'done' || reply.is === 'completions' || reply.is === 'question') ended?.();
  });
  const receive = (...messages: unknown[]) =>
    new Promise<ShellReply[]>((resolve) => {
      ended = () => resolve(replies.splice(0));
      for (const message of messages) server.receive(message);
    });
  return { server, receive };
}

test('run: output comes first, in order, each stream named, many pieces in few replies; then done with the state', async () => {
  const session: ShellBackend = Object.assign(new FakeSession(), {
    run: async (_: string, to: OutputSink) => {
      for (let n = 0; n < 1000; n++) to.write(`${n}\n`, 'output');
      to.write('bad\n', 'error');
      to.write('end\n', 'output');
      return { ok: false, exit: false };
    },
  });
  const { receive } = serve(session);
  const replies = await receive({ id: 1, do: 'run', line: 'x' });
  expect(replies.map((reply) => (reply.is === 'output' ? reply.stream : reply.is))).toEqual([
    'output',
    'error',
    'output',
    'done',
  ]);
  expect(replies.at(-1)).toEqual({
    id: 1,
    is: 'done',
    ok: false,
    exit: false,
    state: { prompt: '/> ', path: '/', pager: true },
  });
});

test('a line runs alone: a second one is refused, and the first goes on', async () => {
  const { server, receive } = serve(new FakeSession());
  server.receive({ id: 1, do: 'run', line: 'wait' });
  const refused = await receive({ id: 2, do: 'run', line: 'echo hi' });
  expect(refused.filter((reply) => reply.id === 2)).toMatchObject([
    { is: 'output', stream: 'error', text: 'Another line is still running.\n' },
    { is: 'done', ok: false },
  ]);
  expect(await receive({ id: 3, do: 'interrupt' })).toMatchObject([
    { id: 1, is: 'output', text: 'waiting\ninterrupted\n' },
    { id: 1, is: 'done', ok: true },
  ]);
});

test('an answer counts once, for the question that stands; a peer that hangs up has cancelled it', async () => {
  const { server, receive } = serve(new FakeSession());
  expect(await receive({ id: 1, do: 'run', line: 'sure' })).toMatchObject([{ id: 1, is: 'question' }]);
  server.receive({ id: 9, do: 'answer', answer: 'no' });
  const replies = await receive({ id: 1, do: 'answer', answer: 'yes' }, { id: 1, do: 'answer', answer: 'no' });
  expect(replies[0]).toMatchObject({ text: 'answer: yes\n' });

  const other = serve(new FakeSession());
  await other.receive({ id: 1, do: 'run', line: 'sure' });
  const ended = other.receive();
  other.server.hangUp();
  expect((await ended)[0]).toMatchObject({ text: 'answer: null\n' });
});

test('an error that the session does not catch ends its line, not the session', async () => {
  const session = Object.assign(new FakeSession(), { run: () => Promise.reject(new Error('oops')) });
  const { receive } = serve(session);
  expect(await receive({ id: 1, do: 'run', line: 'x' })).toMatchObject([
    { is: 'output', stream: 'error', text: 'internal error: oops\n' },
    { is: 'done', ok: false },
  ]);
  expect(await receive({ id: 2, do: 'complete', line: 'ec', cursor: 2 })).toMatchObject([
    { completion: { from: 0, candidates: [{ text: 'echo' }] } },
  ]);
});

test.each([
  null,
  'run',
  {},
  { id: 1 },
  { id: '1', do: 'run', line: 'x' },
  { id: 1.5, do: 'run', line: 'x' },
  { id: 1, do: 'run' },
  { id: 1, do: 'run', line: 7 },
  { id: 1, do: 'complete', line: 'ab', cursor: 3 },
  { id: 1, do: 'complete', line: 'ab', cursor: -1 },
  { id: 1, do: 'complete', line: 'ab', cursor: Number.NaN },
  { id: 1, do: 'answer' },
  { id: 1, do: 'terminal', terminal: null },
  { id: 1, do: 'terminal', terminal: { columns: 1e9, color: true, interactive: true } },
  { id: 1, do: 'constructor' },
])('a malformed request is ignored: %j', (message) => {
  expect(isRequest(message)).toBe(false);
});

async function connect(engine: unknown = {}): Promise<ShellClient> {
  const [entry = ''] = await buildPrograms('server', ['test/support/fake-engine.ts']);
  return connectThread(new URL(`file://${entry}`), engine, TERMINAL);
}

test('a worker: lines, completion, questions, interrupt and close cross its port', async () => {
  const client = await connect();
  expect(client.state).toMatchObject({ prompt: '/> ', path: '/' });
  let text = '';
  const sink = {
    write: (piece: string) => {
      text += piece;
      if (piece === 'waiting\n') client.interrupt();
    },
    ask: async () => 'yes',
  };
  for (const line of ['cd /iscsi', 'sure', 'wait', 'width']) expect((await client.run(line, sink)).ok).toBe(true);
  expect(text).toBe('answer: yes\nwaiting\ninterrupted\n80 columns\n');
  expect(client.state.path).toBe('/iscsi');
  expect((await client.complete('cle', 3)).candidates[0]?.text).toBe('clearconfig');
  await client.close();
  await expect(client.run('echo', sink)).rejects.toThrow('ended');
});

test('a worker that ends by itself: the running line fails, and `lost` says why', async () => {
  const client = await connect();
  await expect(client.run('crash', { write: () => {}, ask: async () => null })).rejects.toThrow('status 3');
  expect((await client.lost)?.message).toBe("the engine's thread ended with status 3");
});

test('a worker that cannot start: connecting fails with its reason, an operator’s error as one', async () => {
  await expect(connect({ refuse: 'saveconfig.json is damaged' })).rejects.toThrow(
    new OperatorError('saveconfig.json is damaged', 'Mend it.'),
  );
});

test('notices of the engine are kept until somebody listens', async () => {
  const client = await connect({ notice: 'a notice from the engine' });
  const heard: string[] = [];
  client.notices?.((text) => heard.push(text));
  expect(heard).toEqual(['a notice from the engine\n']);
  await client.close();
});
