// The limits of a process that serves: the files that it gets out of a front end, and its power over the terminal.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import type { ClientQuestion, ShellReply, ShellRequest } from '../../../shell/channel/protocol.ts';
import { type Channel, SessionClient } from '../../../shell/channel/session-client.ts';
import { serveSession } from '../../../shell/channel/session-server.ts';
import { ownShell } from '../../support/own-shell.ts';
import { temporaryDirectory } from '../../support/tcli.ts';

/** A server that asks these questions, one after the other, whatever is run. @returns the answers */
async function served(line: string, questions: readonly ClientQuestion[]): Promise<string[]> {
  const answers: string[] = [];
  const left = [...questions];
  const post: Channel['post'] = (request) => {
    const { id } = request;
    if (request.do === 'answer') answers.push(request.answer ?? '');
    const question = left.shift();
    const state = { prompt: '', path: '/', pager: false };
    const reply: ShellReply = question
      ? { id, is: 'question', question }
      : { id, is: 'done', ok: true, exit: false, state };
    queueMicrotask(() => client.receive(reply));
  };
  const client = new SessionClient({ post, close: async () => {} });
  await client.run(line, { write: () => {}, ask: async () => null });
  return answers.map((answer) => (JSON.parse(answer) as { text?: string }).text ?? 'refused');
}

test('a server gets the file that the line names, by that name, and what the file refers to; nothing else', async () => {
  const directory = temporaryDirectory();
  const file = (name: string, text: string) => {
    writeFileSync(join(directory, name), text);
    return join(directory, name);
  };
  vi.stubEnv('TCLI_TEST_NAMED', 'named');
  vi.stubEnv('TCLI_TEST_OTHER', 'other');
  onTestFinished(() => void vi.unstubAllEnvs());
  const secret = file('secret', 'secret');
  const other = file('other', 'other');
  const acl = (place: string) =>
    `{node_wwn: "iqn.2003-01.org.example:${place.slice(1, 4)}", chap_userid: i, chap_password: ${place}}`;
  const acls = `[${acl('{env: TCLI_TEST_NAMED}')}, ${acl(`{file: ${secret}}`)}]`;
  const text = `# ${other} TCLI_TEST_OTHER\ntargets: [{wwn: "iqn.2003-01.org.example:t", tpgs: [{node_acls: ${acls}}]}]\n`;
  const description = file('description', text);
  const lines = file('lines', `ls ${other}\napply ${description}\n`);
  const asked = (...paths: string[]): ClientQuestion[] => [
    ...paths.map((path) => ({ kind: 'file', path }) as const),
    { kind: 'variable', name: 'TCLI_TEST_NAMED' },
    { kind: 'variable', name: 'TCLI_TEST_OTHER' },
  ];

  const got = ['refused', 'refused', text, 'secret', 'refused', 'named', 'refused'];
  const applied = asked(other, secret, description, secret, `${directory}/./description`);
  expect(await served(`apply ${description}`, applied)).toEqual(got);
  expect(await served(`try 5m / apply file="${description}" dry_run=true`, applied)).toEqual(got);
  const [first, second, ...rest] = await served(`try 5m -f ${lines}`, asked(description, lines, other, description));
  expect([first, second?.slice(0, 3), ...rest]).toEqual(['refused', 'ls ', 'refused', text, 'named', 'refused']);
  const set = `set auth userid=@${other} password=@${secret} mutual_password=@env:TCLI_TEST_NAMED`;
  for (const line of [set, `try 5m ${set}`])
    expect(await served(line, asked(other, secret))).toEqual(['refused', 'secret', 'named', 'refused']);
  for (const line of [`ls ${other}`, `import ${other}`, `# apply ${other}`, 'apply', `try ${other}`, '"apply'])
    expect(await served(line, asked(other))).toEqual(['refused', 'refused', 'refused']);
});

test('an honest server gets what apply and try need, several secrets among it', async () => {
  const shell = await ownShell();
  vi.stubEnv('TCLI_TEST_NAMED', 'named-secret');
  onTestFinished(() => void vi.unstubAllEnvs());
  const file = join(shell.directory, 'description');
  const acl = (name: string) =>
    `{node_wwn: iqn.2003-01.org.example:${name}, chap_userid: ${name}, chap_password: {env: TCLI_TEST_NAMED}}`;
  writeFileSync(
    file,
    `targets: [{wwn: "iqn.2003-01.org.example:t", tpgs: [{node_acls: [${acl('a')}, ${acl('b')}]}]}]\n`,
  );
  const client: SessionClient = new SessionClient({
    post: (request) => void server.receive(request as ShellRequest),
    close: async () => {},
  });
  const server = serveSession(shell.session, (reply) => client.receive(reply));
  let errors = '';
  const write = (text: string) => {
    errors += text;
  };
  const to = { write, ask: async () => null };
  expect(await client.run(`apply ${file}`, to), errors).toMatchObject({ ok: true });
  expect((await client.run(`try 5m -f ${file}`, to)).ok).toBe(false);
  expect(errors).toContain(`${file}:1: `);
});

test("the terminal obeys only colours of a server's output", async () => {
  const evil = '\x1b]0;x\x07\x1b[2J\u202e';
  const state = { prompt: `${evil}> `, path: '/', pager: false };
  const completion = { from: 0, candidates: [{ text: evil, kind: 'command', help: evil, final: true }] } as const;
  const client: SessionClient = new SessionClient({
    post({ id, do: verb }) {
      if (verb === 'run') {
        client.receive({ id, is: 'output', stream: 'output', text: `${evil}\x1b[31mred\x1b[0m\n` });
        client.receive({ id, is: 'question', question: { kind: 'confirm', message: evil } });
      }
      if (verb === 'answer') client.receive({ id, is: 'done', ok: true, exit: false, state });
      if (verb === 'complete') client.receive({ id, is: 'completions', completion });
      client.receive({ id: 0, is: 'output', stream: 'output', text: evil });
    },
    close: async () => {},
  });
  const seen: string[] = [];
  client.notices((text) => void seen.push(text));
  const to = {
    write: (text: string) => void seen.push(text),
    ask: async ({ message }: { message: string }) => {
      seen.push(message);
      return 'no';
    },
  };
  await client.run('ls', to);
  const { candidates } = await client.complete('', 0);
  const all = [...seen, client.state.prompt, candidates[0]?.text, candidates[0]?.help].join(' ');
  expect(all).toContain('\\u001b]0;x\\u0007\\u001b[2J\\u202e\x1b[31mred\x1b[0m\n');
  expect(all.replace(/\x1b\[[\d;]*m/g, '')).not.toMatch(/[\x00-\x09\x0b-\x1f\u202e]/);
});

test('a line that nobody answers is given up by Ctrl-C, once it is late or typed again; its end is told, and it gets no answer to a question', async () => {
  const posted: (ShellRequest | { do: 'status' })[] = [];
  const client = new SessionClient({ post: (request) => void posted.push(request), close: async () => {} });
  const notices: string[] = [];
  client.notices((text) => void notices.push(text));
  let said = '';
  const write = (text: string) => {
    said += text;
  };
  const to = { write, ask: async () => 'yes' };
  const give = (line: string) => client.run(line, to);
  const late = give('/iscsi create');
  client.interrupt();
  expect(await late).toEqual({ ok: false, exit: false });
  expect(said).toMatch(/^Given up: .*does not answer/);
  const leaves = give('exit');
  client.interrupt();
  client.interrupt();
  expect(await leaves).toEqual({ ok: false, exit: true });
  expect(posted.map((request) => request.do)).toEqual(['run', 'interrupt', 'run', 'interrupt']);

  client.receive({ id: 1, is: 'question', question: { kind: 'confirm', message: 'Delete?' } });
  expect(posted.at(-1)).toEqual({ id: 1, do: 'answer', answer: null });
  const state = { prompt: '/iscsi> ', path: '/iscsi', pager: false };
  client.receive({ id: 1, is: 'output', stream: 'output', text: 'late\n' });
  client.receive({ id: 1, is: 'done', ok: true, exit: false, state });
  expect(notices).toEqual(['It answers again. Carried out: /iscsi create\n']);
  expect(said).not.toContain('late');
  expect(client.state.path).toBe('/iscsi');
});
