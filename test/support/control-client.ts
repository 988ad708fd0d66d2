/** A program at the control socket, as docs/protocol.md has it: it knows nothing of the shell's own client. */

import { connect } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

type Message = Readonly<Record<string, unknown>> & { readonly is?: string; readonly error?: string };

export interface ControlClient {
  /** Rejects when the connection is gone. */
  ask(request: object): Promise<Message>;
  close(): void;
}

/** @throws Error when nobody listens */
export async function openControl(home: string): Promise<ControlClient> {
  const socket = connect(join(home, 'run/control.sock'));
  const gone = new Promise<never>((_, reject) => {
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('the connection was closed')));
  });
  gone.catch(() => {});
  const lines = createInterface({ input: socket })[Symbol.asyncIterator]();
  let id = 0;
  const hear = async (): Promise<Message> => {
    const { value } = await Promise.race([lines.next(), gone]);
    return value === undefined ? gone : JSON.parse(value);
  };
  const say = (message: object) => void socket.write(`${JSON.stringify(message)}\n`);
  say({ tcli: 1 });
  await hear();
  return {
    ask(request) {
      id += 1;
      say({ id, ...request });
      return hear();
    },
    close: () => void socket.destroy(),
  };
}
