/**
 * tgtd's management socket, by which tgtadm, tgt-admin and their callers reach the process that serves. A connection is for one request
 * and its answer.
 */

import { closeSync, mkdirSync, openSync } from 'node:fs';
import { chmod, rename, rm } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { OperatorError, reasonOf, systemErrorCode } from '../errors.ts';
import { type Log, logBug } from '../log.ts';
import { authorOf } from '../root/author.ts';
import type { Host } from '../root/host.ts';
import { lockForOthers } from '../system/lock.ts';
import { mayControl } from '../system/peer.ts';
import { Places } from '../system/places.ts';
import { whenLate } from '../system/running-time.ts';
import { whenListening } from '../system/unix-socket.ts';
import type { Desk } from './change.ts';
import { defaultPortals } from './portal-requests.ts';
import { refusals, requestBytes, requestHeaderBytes, writeAnswer } from './protocol.ts';
import { answerTo } from './requests.ts';
import { TargetNumbers } from './view.ts';

/** The clients at one time; one that comes beyond them takes the place of the one that has been silent the longest. */
const clientsMax = 256;
/** The time that a client may take to send its request, or to read its answer. */
const clientMs = 5_000;

export interface TgtSocketOptions {
  readonly host: Host;
  readonly log: Log;
  readonly path: string;
  /** Ends this process as SIGTERM does. */
  readonly stop: () => void;
  /** The group whose members may use the socket as well. */
  readonly group?: number;
}

/** Opens the socket. @returns a function that closes it @throws OperatorError when it cannot be had */
export async function listenTgt(options: TgtSocketOptions): Promise<() => Promise<void>> {
  const { host, path, stop } = options;
  const lock = await take(path);
  const desk: Desk = {
    host,
    numbers: new TargetNumbers(),
    portals: [...defaultPortals],
    system: { online: true, debug: false },
    by: { via: 'tgtadm' },
    stop,
  };
  /** Those whose request is being carried out. */
  const asked = new Set<Socket>();
  const clients = new Places<Socket>({
    most: clientsMax,
    isBusy: (socket) => asked.has(socket),
    drop: (socket) => socket.destroy(),
  });
  const server = createServer((socket) => {
    socket.on('close', () => clients.leave(socket));
    serve(socket, { ...desk, by: authorOf(socket, 'tgtadm') }, options, asked);
    if (!socket.destroyed && !clients.enter(socket)) socket.destroy();
  });
  try {
    await bind(server, path);
  } catch (error) {
    closeSync(lock);
    throw cannot(path, reasonOf(error));
  }
  return async () => {
    const closed = new Promise((resolve) => server.close(resolve));
    const inTime = whenLate(clientMs, () => {
      for (const client of clients) client.destroy();
    });
    // The socket's file stays until the end: tgtadm takes a refused connection for the end of tgtd, and waits for that.
    await closed;
    inTime();
    closeSync(lock);
  };
}

const cannot = (path: string, why: string) =>
  new OperatorError(
    `tgtd's socket ${path} cannot be had: ${why}`,
    'Where a tgtd runs, stop it (systemctl stop tgt), or give another number: --tgtadm N',
  );

/** Takes the lock that tgtd takes, too. @returns its descriptor @throws OperatorError */
async function take(path: string): Promise<number> {
  let fd: number;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
    fd = openSync(`${path}.lock`, 'a', 0o600);
  } catch (error) {
    throw cannot(path, reasonOf(error));
  }
  if (lockForOthers(fd) && !(await isAnswered(path))) return fd;
  closeSync(fd);
  throw cannot(path, 'another process has it');
}

/** Whether a process listens there, with or without a lock. */
function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect({ path }, () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', (error) => resolve(systemErrorCode(error) === 'EACCES'));
  });
}

/** Listens under another name until the socket's mode is right; renaming then replaces the socket of an earlier process. */
async function bind(server: Server, path: string): Promise<void> {
  const fresh = `${path}.new`;
  await rm(fresh, { force: true });
  await whenListening(server, { path: fresh });
  await chmod(fresh, 0o600);
  await rename(fresh, path);
}

function serve(socket: Socket, desk: Desk, { log, group }: TgtSocketOptions, asked: Set<Socket>): void {
  const refused = mayControl(socket, group);
  socket.on('error', () => {});
  if (refused !== undefined) {
    log({ level: 'warning', event: 'control client refused', detail: { reason: refused } });
    socket.destroy();
    return;
  }
  let inTime = whenLate(clientMs, () => socket.destroy());
  socket.on('close', () => inTime());
  let received: Buffer = Buffer.alloc(0);
  let answered = false;
  socket.on('data', (bytes) => {
    if (answered) return;
    received = Buffer.concat([received, bytes]);
    if (received.length < requestHeaderBytes) return;
    const length = requestBytes(received);
    if (length === undefined) {
      socket.destroy();
      return;
    }
    if (received.length < length) return;
    answered = true;
    inTime();
    asked.add(socket);
    void answerTo(desk, received.subarray(0, length), log)
      .catch((error: unknown) => {
        logBug(log, 'tgt', error);
        return writeAnswer(refusals.unknown[0], undefined);
      })
      .then((answer) => {
        asked.delete(socket);
        if (socket.destroyed) return;
        inTime = whenLate(clientMs, () => socket.destroy());
        socket.end(answer);
      });
  });
}
