/** The whole front end on a terminal, with a fake session in a worker; its status is the shell's. Arguments: history file. */

import { connectThread } from '../../shell/client-thread.ts';
import { interactive } from '../../shell/ui/interactive.tsx';

const [historyFile = '/dev/null'] = process.argv.slice(2);
const client = connectThread(
  new URL('./fake-engine.js', import.meta.url),
  {},
  { columns: 80, color: true, interactive: true },
);
process.exitCode = await interactive(client, { banner: ['fake shell', ''], historyFile });
await (await client).close();
