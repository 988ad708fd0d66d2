/** The initiator of raw PDUs on a socket, logged in. */

import { connect } from 'node:net';
import { Initiator } from './initiator.ts';

export interface Connected {
  readonly initiator: Initiator;
  /** Rejects when the connection is gone. */
  readonly lost: Promise<never>;
  close(): void;
}

/** @param keys of the login, besides names @throws Error when it cannot connect or log in */
export async function connectInitiator(
  port: number,
  targetName: string,
  name: string,
  keys: Record<string, string> = {},
): Promise<Connected> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  const lost = new Promise<never>((_, reject) => {
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('the target closed the connection')));
  });
  lost.catch(() => {});
  const initiator = new Initiator(targetName, (bytes) => void socket.write(bytes));
  initiator.name = name;
  initiator.remote = true;
  socket.on('data', (bytes) => initiator.receive(bytes));
  try {
    await Promise.race([initiator.login(keys), lost]);
  } catch (error) {
    socket.destroy();
    throw error;
  }
  return { initiator, lost, close: () => void socket.destroy() };
}
