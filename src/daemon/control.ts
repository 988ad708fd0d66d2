/**
 * The control socket: shells and programs reach the process that serves a home. A client that is slow, silent or gone
 * costs itself its connection, never the target its time.
 */

import { chmod, rename, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { makePrivateDirectory } from '../durable/atomic-file.ts';
import type { Role } from '../durable/holder.ts';
import { OperatorError, reasonOf, systemErrorCode } from '../errors.ts';
import { type Log, logBug } from '../log.ts';
import type { Author } from '../operations/operation.ts';
import { authorOf } from '../root/author.ts';
import type { Host } from '../root/host.ts';
import { descriptorOf } from '../system/descriptor.ts';
import { intoReserve } from '../system/descriptor-limit.ts';
import { letGroupIn } from '../system/group.ts';
import { mayControl } from '../system/peer.ts';
import { Places } from '../system/places.ts';
import { runningMs, whenLate } from '../system/running-time.ts';
import { whenListening } from '../system/unix-socket.ts';
import {
  type ControlReply,
  controlSocketOf,
  messageBytesMax,
  protocolVersion,
  type SessionOpening,
  type StartedBy,
  type Status,
  served,
  type Welcome,
} from './control-protocol.ts';
import { type ControlContext, controlRequests, refuseLocalUse, sessionOpening } from './control-requests.ts';
import { endsWith, failureOf, farewellMs, sayFarewell, shownWord, unknownRequest } from './farewell.ts';
import { encodeFrame, FrameReader } from './frames.ts';
import { Sampler } from './samples.ts';
import { type ServingProcess, Shells } from './shells.ts';
import { statusOf } from './status.ts';
import type { WatchReader } from './watch.ts';
import { Watches } from './watches.ts';

/** The errors of a path that a folder, a file or a dangling link takes. Without room or rights, disks are served all the same. */
const blocking = ['EISDIR', 'ENOTDIR', 'EEXIST', 'ENOENT'];
/** The number of clients. A client beyond that takes the place of the one that has been idle the longest: the owner always gets in. */
const clientsMax = 256;
/** The share that clients may take of the descriptors that are reserved from strangers, before the same happens. */
const clientsPart = 0.5;
/** The time that a client may take to send its first message. */
const openingMs = 5_000;
/** The bytes that a client may leave unread before it is dropped. */
const outputBytesMax = 32 << 20;
/** The bytes that a client that watches may leave unread before it is sent no more; it is sent more when it has read. */
const watchedBytesMax = 1 << 20;
/** The control requests of one client at one time; it is not read from meanwhile. */
const requestsMax = 64;

/** A shell session behind a connection. It receives the messages that are no control requests. */
export interface SessionChannel {
  /** Takes a message. @returns false when the session does not know it */
  receive(message: unknown): boolean;
  hangUp(): void;
}

/** Creates a session. @throws OperatorError that refuses the session */
export type CreateSession = (
  opening: SessionOpening,
  post: (reply: unknown) => void,
  by: Author,
  serving: ServingProcess,
) => SessionChannel;

/** The options of the control socket. */
export interface ControlOptions {
  readonly host: Host;
  readonly role: Role;
  readonly startedBy: StartedBy;
  /** The version of the program. */
  readonly version: string;
  readonly log: Log;
  readonly createSession: CreateSession;
  /** Ends this process as SIGTERM does; absent where the process is somebody's shell. */
  readonly stop?: (how: 'stop' | 'restart') => void;
  /** The group whose members may connect as well; otherwise only the owner may, and root. */
  readonly group?: number;
  /** A listening socket that the service manager opened: the service manager decides who may connect. */
  readonly inherited?: number;
}

/** An open control socket. */
export interface Control {
  /** The reason why clients cannot reach it; the process goes on without them. */
  readonly problem: string | undefined;
  /** Whether its place is taken by something that only a mistake has put there. */
  readonly isBlocked: boolean;
  status(): Status;
  /** Opens no more sessions, because the process ends soon; open sessions are told so when they end. */
  ending(how: 'stop' | 'restart'): void;
  /** Ends every session and removes the socket. */
  close(): Promise<void>;
}

/** Opens the control socket of `host.home`, whose lock this process holds. It never rejects: see `problem`. */
export async function listenControl(options: ControlOptions): Promise<Control> {
  const control = new ControlServer(options);
  await control.open();
  return control;
}

class ControlServer implements Control {
  readonly options: ControlOptions;
  readonly clients = new Places<Client>({
    most: clientsMax,
    isBusy: (client) => client.isBusy,
    drop: (client) => client.makeRoom(),
  });
  readonly shells: Shells;
  problem: string | undefined;
  isBlocked = false;
  readonly sampler: Sampler;
  ends: 'stop' | 'restart' | undefined;
  readonly #startedAt = new Date().toISOString();
  readonly #path: string;
  readonly #server: Server;

  constructor(options: ControlOptions) {
    this.options = options;
    this.sampler = new Sampler(options.host.root, runningMs);
    this.shells = new Shells({
      startedBy: options.startedBy,
      serves: () => options.host.root.tree.targets().next().done === false,
      isAsked: () => this.clients.size > 0,
      end: () => options.stop?.('stop'),
    });
    this.#path = controlSocketOf(options.host.home);
    this.#server = createServer((socket) => this.#accept(socket));
  }

  async open(): Promise<void> {
    try {
      await this.#listen();
    } catch (error) {
      this.problem = reasonOf(error);
      this.isBlocked = blocking.includes(systemErrorCode(error) ?? '');
      this.options.log({
        level: 'warning',
        event: 'no control socket',
        detail: { path: this.#path, reason: this.problem },
      });
    }
  }

  async #listen(): Promise<void> {
    const { inherited, group } = this.options;
    if (inherited !== undefined) {
      await whenListening(this.#server, { fd: inherited });
      // An inherited TCP socket (only such a one has an address) is not used: on a network, everybody would be the owner.
      if (this.#server.address() === null) return;
      this.#server.close();
      throw new Error('the socket that was passed on as "control" is no Unix socket');
    }
    const directory = dirname(this.#path);
    await makePrivateDirectory(directory);
    // The socket has another name until its mode is right; renaming then replaces the socket of a process that was killed.
    const fresh = `${this.#path}.new`;
    await rm(fresh, { force: true });
    await whenListening(this.#server, { path: fresh });
    await chmod(fresh, 0o600);
    if (group !== undefined) await this.#letIn(group, directory, fresh);
    await rename(fresh, this.#path);
  }

  async #letIn(group: number, directory: string, socket: string): Promise<void> {
    const reason = await letGroupIn(group, directory, socket);
    if (reason)
      this.options.log({ level: 'warning', event: 'control socket not for the group', detail: { group, reason } });
  }

  status(): Status {
    const { host, role, version, startedBy } = this.options;
    return statusOf(host, { role, version, startedBy, startedAt: this.#startedAt, clients: this.clients.size });
  }

  ending(how: 'stop' | 'restart'): void {
    this.ends = how;
    this.shells.close();
  }

  /** This process, for the session of a person or of a program. */
  processFor({ person = false }: SessionOpening): ServingProcess {
    const { shells, options } = this;
    return {
      fate: () => shells.fate,
      describe: () => served(this.status()),
      othersOpen: () => shells.open - Number(person),
      keep: () => shells.keep(),
      mayStop: () => refuseLocalUse(options.host),
      stop: () => options.stop?.('stop'),
    };
  }

  async close(): Promise<void> {
    if (this.options.inherited === undefined && this.problem === undefined) await rm(this.#path, { force: true });
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const client of this.clients) client.end();
    const inTime = whenLate(farewellMs, () => {
      for (const client of this.clients) client.destroy();
    });
    await closed;
    inTime();
  }

  #accept(socket: Socket): void {
    const refused = this.#refusal(socket);
    if (refused) {
      this.options.log({ level: 'warning', event: 'control client refused', detail: { reason: refused } });
      socket.on('error', () => {});
      sayFarewell(socket, { tcli: protocolVersion, error: refused });
      return;
    }
    const client = new Client(socket, this, (why) => {
      this.clients.leave(client);
      if (why) this.options.log({ level: 'warning', event: 'control client dropped', detail: { reason: why } });
    });
    if (!this.clients.enter(client, intoReserve(descriptorOf(socket), clientsPart) > 0)) client.refuse();
  }

  /** The reason to refuse a connection. The socket's permissions decide; where they are ours alone, the kernel is asked, too. */
  #refusal(socket: Socket): string | undefined {
    if (this.options.inherited !== undefined) return undefined;
    return mayControl(socket, this.options.group);
  }
}

/** One connection. */
class Client {
  readonly #socket: Socket;
  readonly #server: ControlServer;
  readonly #reader = new FrameReader(messageBytesMax);
  /** Called when the client has sent its first message. */
  readonly #inTime: () => void;
  readonly #gone: (why?: string) => void;
  readonly #context: ControlContext;
  #opened = false;
  #session: SessionChannel | undefined;
  #left: (() => void) | undefined;
  #requests = 0;
  readonly #watches: Watches;

  constructor(socket: Socket, server: ControlServer, gone: (why?: string) => void) {
    this.#socket = socket;
    this.#server = server;
    this.#gone = gone;
    const { host, stop } = server.options;
    const left = new AbortController();
    this.#watches = new Watches(host, server.sampler, (id) => this.#readerOf(id));
    this.#context = {
      host,
      status: () => server.status(),
      gone: left.signal,
      by: authorOf(socket, 'socket'),
      sampler: server.sampler,
      watches: this.#watches,
      ...(stop && { stop }),
    };
    this.#inTime = whenLate(openingMs, () => this.#drop('it did not say what it wants'));
    socket.on('data', (bytes) => this.#receive(bytes));
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#inTime();
      this.#session?.hangUp();
      this.#watches.end();
      left.abort();
      gone();
      if (this.#left) this.#left();
      else server.shells.programLeft();
    });
    socket.on('drain', () => this.#watches.resumed());
  }

  /** Ends the connection: it sends the last words, and lets the client read what it was told. */
  end(): void {
    this.#session?.hangUp();
    const { ends } = this.#server;
    // A program that asked one thing, and has its answer, is told nothing more.
    if (this.#session && ends) this.#post(endsWith(ends));
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** Whether the client waits for an answer. */
  get isBusy(): boolean {
    return this.#requests > 0;
  }

  /** Ends a connection for which there is no room: all others wait for answers. */
  refuse(): void {
    this.#refuse(new OperatorError(`${clientsMax} clients wait for an answer of this process. Try again later.`));
    this.#gone('too many wait for answers');
  }

  /** Ends the connection because others need its place. */
  makeRoom(): void {
    this.#session?.hangUp();
    this.#session = undefined;
    this.#drop('it was idle the longest, and others came');
  }

  #drop(why: string): void {
    this.#gone(why);
    this.#socket.destroy();
  }

  #receive(bytes: Buffer): void {
    this.#server.clients.heard(this);
    try {
      for (const message of this.#reader.read(bytes)) this.#handle(message);
    } catch (error) {
      this.#refuse(error);
    }
  }

  #handle(message: unknown): void {
    if (this.#socket.writableEnded || typeof message !== 'object' || message === null) return;
    const words = message as Readonly<Record<string, unknown>>;
    const { id, do: verb } = words;
    if (!this.#opened) this.#open(words);
    else if (typeof verb === 'string' && Object.hasOwn(controlRequests, verb) && Number.isSafeInteger(id))
      void this.#request(Number(id), verb, words);
    else if (!this.#session?.receive(message) && Number.isSafeInteger(id))
      this.#post({ id: Number(id), ...unknownRequest(verb) } as ControlReply);
  }

  #readerOf(id: number): WatchReader {
    const socket = this.#socket;
    return {
      get hasRoom() {
        return socket.writableLength < watchedBytesMax;
      },
      post: (message) => this.#post({ id, ...message }),
    };
  }

  #open({ tcli, session }: Readonly<Record<string, unknown>>): void {
    this.#inTime();
    this.#opened = true;
    const { version, role, createSession, log } = this.#server.options;
    try {
      if (tcli !== protocolVersion)
        throw new OperatorError(`This tcli speaks version ${protocolVersion} of the protocol, not ${shownWord(tcli)}.`);
      const { ends } = this.#server;
      if (session !== undefined && ends) {
        sayFarewell(this.#socket, endsWith(ends));
        return;
      }
      if (session !== undefined) this.#openSession(sessionOpening(session), createSession);
      this.#post({ tcli: protocolVersion, version, pid: process.pid, role } satisfies Welcome);
    } catch (error) {
      if (!(error instanceof OperatorError)) logBug(log, 'control', error);
      this.#refuse(error);
    }
  }

  #openSession(opening: SessionOpening, createSession: CreateSession): void {
    const post = (reply: unknown) => this.#post(reply as object);
    const by = { ...this.#context.by, via: 'shell' } as const;
    this.#session = createSession(opening, post, by, this.#server.processFor(opening));
    if (opening.person) this.#left = this.#server.shells.enter();
  }

  async #request(id: number, verb: string, message: Readonly<Record<string, unknown>>): Promise<void> {
    this.#requests += 1;
    if (this.#requests >= requestsMax) this.#socket.pause();
    const reply = await controlRequests[verb]!(this.#context, message).catch((error: unknown) => failureOf(error));
    this.#requests -= 1;
    if (this.#requests < requestsMax) this.#socket.resume();
    this.#post({ id, ...reply } as ControlReply);
  }

  /** Sends the last message of a connection. */
  #refuse(error: unknown): void {
    const { is: _, ...refusal } = failureOf(error);
    sayFarewell(this.#socket, { tcli: protocolVersion, ...refusal });
  }

  #post(message: object): void {
    if (this.#socket.destroyed || this.#socket.writableEnded) return;
    this.#socket.write(encodeFrame(message));
    this.#server.clients.heard(this);
    if (this.#socket.writableLength > outputBytesMax) this.#drop('it does not read what it is told');
  }
}
