/** The whole front end on a terminal, with a fake session in a worker; its status is the shell's. Arguments: history file. */

import { connectThread } from '../../shell/channel/client-thread.ts';
import { interactive } from '../../shell/ui/interactive.tsx';
import type { FakeEngine } from './fake-engine.ts';

process.on('SIGUSR2', () => {
  throw new Error('a bug of the front end');
});
const [historyFile = '/dev/null'] = process.argv.slice(2);
const { FAKE_NOTICE, FAKE_HANG, FAKE_HOSTED } = process.env;
const engine: FakeEngine = {
  ...(FAKE_NOTICE && { notice: 'a notice from the engine' }),
  ...(FAKE_HANG && { hang: true }),
};
const client = connectThread(new URL('./fake-engine.js', import.meta.url), engine, {
  columns: 80,
  color: true,
  interactive: true,
});
// The session looks as if it were a client of a process that serves.
if (!FAKE_HOSTED) client.then((connected) => Object.assign(connected, { hosted: false })).catch(() => {});
process.exitCode = await interactive(client, { banner: ['fake shell', ''], historyFile });
if (FAKE_HANG) process.exit();
await (await client).close();
