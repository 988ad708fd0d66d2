/** A running tcli, reached over its control socket: a session in it, or a single request. The engine is not loaded for it. */

import { connect, type Socket } from 'node:net';
import {
  type ControlRefusal,
  type ControlReply,
  type ControlRequest,
  controlSocketOf,
  encodeFrame,
  FrameReader,
  type Home,
  messageBytesMax,
  type Opening,
  OperatorError,
  protocolVersion,
  reasonOf,
  refuseStranger,
  type SessionOpening,
  systemErrorCode,
  type WatchEvent,
  whenLate,
} from '../../src/client.ts';
import type { ShellClient, ShellReply, Terminal } from './protocol.ts';
import { SessionClient } from './session-client.ts';

/** The time that a process which took a connection may take to answer; its event loop may be busy restoring. */
const WELCOME_WAIT_MS = 30_000;
const CLOSE_WAIT_MS = 2_000;

/** The errors of a socket on which nobody listens, or that we may not use: no error of this program. */
const UNREACHABLE: readonly unknown[] = [
  'ENOENT',
  'ECONNREFUSED',
  // The server died with the connection in its queue.
  'ECONNRESET',
  'EACCES',
  'EPERM',
  'ENOTDIR',
  'ENAMETOOLONG',
  'EINVAL',
];

/** The process ends, or ended before it said a word. */
class Ending extends Error {}

type Unnumbered<T> = T extends unknown ? Omit<T, 'id'> : never;

interface ReplyListener {
  message(message: unknown): void;
  end(error: Error): void;
}

/**
 * Opens a session in the process that serves `home`.
 * @returns undefined when no process can be reached
 * @throws OperatorError when it refuses
 */
export async function connectSocket(
  home: Home,
  session: SessionOpening,
  terminal: Terminal,
): Promise<ShellClient | undefined> {
  const link = await open(home, { tcli: protocolVersion, session });
  if (!link) return undefined;
  const { socket, listen } = link;
  const client = new SessionClient({
    post: (request) => void socket.write(encodeFrame(request)),
    close: () => closed(socket),
  });
  listen({ message: (reply) => client.receive(reply as ShellReply), end: (error) => client.end(error) });
  await client.open(terminal);
  return client;
}

/**
 * Asks the process that serves `home` one thing.
 * @param untilEnd wait for it to close the connection, which is the end of a stop
 * @returns undefined when no process can be reached
 * @throws OperatorError with its refusal
 */
export async function askServer(
  home: Home,
  request: Unnumbered<ControlRequest>,
  untilEnd = false,
): Promise<Exclude<ControlReply, { is: 'failed' }> | undefined> {
  const link = await open(home, { tcli: protocolVersion });
  if (!link) return undefined;
  const { socket, listen } = link;
  const ended = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  const reply = await new Promise<ControlReply>((resolve, reject) => {
    listen({ message: (message) => resolve(message as ControlReply), end: reject });
    socket.write(encodeFrame({ ...request, id: 1 }));
  });
  if (!untilEnd || reply.is === 'failed') socket.destroy();
  await ended;
  if (reply.is === 'failed') throw new OperatorError(reply.error, reply.hint);
  return reply;
}

/**
 * Watches the process that serves `home`, on a connection of its own: what comes there waits for nothing else.
 * @throws OperatorError when it cannot be reached, or refuses
 */
export async function watchSocket(
  home: Home,
  request: Omit<Extract<ControlRequest, { do: 'watch' }>, 'id' | 'do'>,
  hear: (event: WatchEvent) => void,
): Promise<{ readonly lost: Promise<Error>; end(): void }> {
  const link = await open(home, { tcli: protocolVersion });
  if (!link) throw new OperatorError('No tcli serves this configuration.', 'To serve: tcli daemon start');
  const { socket, listen } = link;
  const lost = new Promise<Error>((resolve) => {
    listen({
      message(message) {
        const reply = message as ControlReply | WatchEvent;
        if (reply.is === 'failed') socket.destroy(new OperatorError(reply.error, reply.hint));
        else if (reply.is !== 'watching') hear(reply as WatchEvent);
      },
      end: resolve,
    });
  });
  socket.write(encodeFrame({ ...request, do: 'watch', id: 1 }));
  return { lost, end: () => void socket.destroy() };
}

/** Connects, and hears the welcome. */
async function open(
  home: Home,
  opening: Opening,
): Promise<{ socket: Socket; listen(listener: ReplyListener): void } | undefined> {
  const path = controlSocketOf(home);
  const socket = await connected(path);
  if (!socket) return undefined;
  refuseStranger(socket, path);
  let gone: Error | undefined;
  let early: unknown[] = [];
  let listener: ReplyListener = {
    message: (message) => void early.push(message),
    end: () => {},
  };
  const listen = (next: ReplyListener) => {
    listener = next;
    for (const message of early) next.message(message);
    early = [];
    if (gone) next.end(gone);
  };
  const reader = new FrameReader(messageBytesMax * 4);
  const end = (error: Error) => {
    gone ??= error;
    listener.end(gone);
  };
  socket.on('data', (bytes) => {
    try {
      for (const message of reader.read(bytes)) listener.message(message);
    } catch (error) {
      socket.destroy(error as Error);
    }
  });
  socket.on('error', (error) => end(error));
  socket.on('close', () => end(new Error('the process that serves it closed the connection')));
  socket.write(encodeFrame(opening));
  const inTime = whenLate(WELCOME_WAIT_MS, () =>
    socket.destroy(
      new OperatorError(
        'The running tcli does not answer.',
        'It is stopped, busy or hangs: ps, top and its log show which. To replace it: tcli daemon restart --force',
      ),
    ),
  );
  try {
    await new Promise<void>((resolve, reject) =>
      listen({
        message(message) {
          const { error, hint, ends } = message as Partial<ControlRefusal>;
          if (ends !== undefined) return reject(new Ending());
          if (error !== undefined) return reject(new OperatorError(error, hint));
          // Messages behind the welcome wait until somebody listens.
          listener = { message: (next) => void early.push(next), end: () => {} };
          resolve();
        },
        end: (error) => reject(error instanceof OperatorError ? error : new Ending()),
      }),
    );
  } catch (error) {
    socket.destroy();
    if (error instanceof Ending) return undefined;
    throw error;
  } finally {
    inTime();
  }
  return { socket, listen };
}

function connected(path: string): Promise<Socket | undefined> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    const failed = (error: Error) => {
      if (UNREACHABLE.includes(systemErrorCode(error))) resolve(undefined);
      else reject(new OperatorError(`${path} cannot be reached: ${reasonOf(error)}`));
    };
    socket.once('error', failed);
    socket.once('connect', () => {
      socket.off('error', failed);
      resolve(socket);
    });
  });
}

async function closed(socket: Socket): Promise<void> {
  const ended = new Promise((resolve) => socket.once('close', resolve));
  socket.end();
  const inTime = whenLate(CLOSE_WAIT_MS, () => socket.destroy());
  await ended;
  inTime();
}
