/** The worker of `connectThread` in tests: a fake session behind the real plumbing. */

import { type MessagePort, workerData } from 'node:worker_threads';
import { NOTICE } from '../../shell/channel/protocol.ts';
import { serveSession } from '../../shell/channel/session-server.ts';
import { OperatorError } from '../../src/errors.ts';
import { FakeSession } from './fake-session.ts';

/** `refuse`: fails to start, for this reason. `hang`: never answers. `notice`: says something unasked. */
export interface FakeEngine {
  readonly refuse?: string;
  readonly hang?: boolean;
  readonly notice?: string;
}

const { port, engine } = workerData as { port: MessagePort; engine: FakeEngine };
if (engine.refuse !== undefined) throw new OperatorError(engine.refuse, 'Mend it.');
if (engine.notice !== undefined)
  port.postMessage({ id: NOTICE, is: 'output', stream: 'error', text: `${engine.notice}\n` });
const server = serveSession(new FakeSession(), (reply) => port.postMessage(reply));
port.on('message', (message) => {
  if (!engine.hang) server.receive(message);
});
port.on('close', () => server.hangUp());
