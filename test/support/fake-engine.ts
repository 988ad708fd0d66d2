/** The worker of `connectThread` in tests: a fake session behind the real plumbing. */

import { type MessagePort, workerData } from 'node:worker_threads';
import { serveSession } from '../../shell/session-server.ts';
import { FakeSession } from './fake-session.ts';

const { port, engine } = workerData as { port: MessagePort; engine: { refuse?: string } };
if (engine.refuse !== undefined) throw new Error(engine.refuse);
const server = serveSession(new FakeSession(), (reply) => port.postMessage(reply));
port.on('message', (message) => server.receive(message));
port.on('close', () => server.hangUp());
