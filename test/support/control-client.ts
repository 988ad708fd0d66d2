/** A program at the control socket, as docs/protocol.md has it: it knows nothing of the shell's own client. */

import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export type ControlMessage = Readonly<Record<string, unknown>> & { readonly is?: string; readonly error?: string };

export interface ControlClient {
  readonly socket: Socket;
  /** Says something and hears the next message. Rejects when the connection is gone. */
  ask(request: object): Promise<ControlMessage>;
  /** The next message of those that `is` has for a word; others are passed over. */
  hear(is?: string): Promise<ControlMessage>;
  close(): void;
}

/** @throws Error when nobody listens */
export async function openControl(home: string, opening: object = {}): Promise<ControlClient> {
  const socket = connect(join(home, 'run/control.sock'));
  const gone = new Promise<never>((_, reject) => {
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('the connection was closed')));
  });
  gone.catch(() => {});
  const lines = createInterface({ input: socket })[Symbol.asyncIterator]();
  let id = 0;
  const next = async (): Promise<ControlMessage> => {
    const { value } = await Promise.race([lines.next(), gone]);
    return value === undefined ? gone : JSON.parse(value);
  };
  const hear = async (is?: string): Promise<ControlMessage> => {
    for (;;) {
      const message = await next();
      if (is === undefined || message.is === is) return message;
    }
  };
  const say = (message: object) => void socket.write(`${JSON.stringify(message)}\n`);
  say({ tcli: 1, ...opening });
  await hear();
  return {
    socket,
    ask(request) {
      id += 1;
      say({ id, ...request });
      return hear();
    },
    hear,
    close: () => void socket.destroy(),
  };
}
