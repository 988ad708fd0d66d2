/** A session in a worker thread, seen from the thread of the front end: the engine never shares an event loop with drawing. */

import { setTimeout } from 'node:timers/promises';
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import {
  type Completion,
  NOTICE,
  type OutputSink,
  type Reply,
  type Request,
  type SessionState,
  type ShellClient,
  type Terminal,
} from './protocol.ts';

/** How long the engine may take to stop: sessions are logged out, what is open is flushed. */
const CLOSE_WAIT_MS = 10_000;

/** Omit that keeps the members of a union apart. */
type Unnumbered<T> = T extends unknown ? Omit<T, 'id'> : never;

/**
 * Starts `entry` (engine-thread.ts) as a worker and opens a session in it.
 * @param engine handed to the worker as it is
 * @throws what the worker threw before the session was there
 */
export async function connectThread(entry: URL, engine: unknown, terminal: Terminal): Promise<ShellClient> {
  const { port1: port, port2 } = new MessageChannel();
  const worker = new Worker(entry, { workerData: { port: port2, engine }, transferList: [port2] });
  const client = new ThreadClient(worker, port);
  try {
    await client.open(terminal);
  } catch (error) {
    throw await crossed(error);
  }
  return client;
}

class ThreadClient implements ShellClient {
  state: SessionState = { prompt: '', path: '/' };
  readonly lost: Promise<Error>;
  readonly #worker: Worker;
  readonly #port: MessagePort;
  /** By the id of the request. */
  readonly #waiting = new Map<number, { receive(reply: Reply): void; fail(error: Error): void; to?: OutputSink }>();
  #id = 0;
  #running = 0;
  #gone: Error | null = null;
  #closing = false;
  #notices: string[] = [];
  #notify = (text: string): void => void this.#notices.push(text);

  constructor(worker: Worker, port: MessagePort) {
    this.#worker = worker;
    this.#port = port;
    this.lost = new Promise((resolve) => {
      const lose = (error: Error) => {
        this.#gone ??= error;
        for (const { fail } of this.#waiting.values()) fail(this.#gone);
        this.#waiting.clear();
        if (!this.#closing) resolve(this.#gone);
      };
      worker.on('error', (error) => lose(error instanceof Error ? error : new Error(String(error))));
      worker.on('exit', (status) => lose(new Error(`the engine's thread ended with status ${status}`)));
    });
    port.on('message', (reply: Reply) => this.#receive(reply));
  }

  async open(terminal: Terminal): Promise<void> {
    await this.#request({ do: 'terminal', terminal });
  }

  async run(line: string, to: OutputSink): Promise<{ ok: boolean; exit: boolean }> {
    const reply = this.#request({ do: 'run', line }, to);
    this.#running = this.#id;
    const done = await reply;
    return done.is === 'done' ? { ok: done.ok, exit: done.exit } : { ok: false, exit: false };
  }

  async complete(line: string, cursor: number): Promise<Completion> {
    const reply = await this.#request({ do: 'complete', line, cursor });
    return reply.is === 'completions' ? reply.completion : { from: cursor, candidates: [] };
  }

  setTerminal(terminal: Terminal): void {
    // When it fails the session is lost, and `lost` says so.
    this.open(terminal).catch(() => {});
  }

  notices(to: (text: string) => void): void {
    this.#notify = to;
    for (const text of this.#notices.splice(0)) to(text);
  }

  interrupt(): void {
    this.#post({ id: this.#running, do: 'interrupt' });
  }

  async close(): Promise<void> {
    if (this.#closing || this.#gone) return;
    this.#closing = true;
    const ended = new Promise((resolve) => this.#worker.once('exit', resolve));
    // The worker takes a closed port as the end of the session.
    this.#port.close();
    const timer = new AbortController();
    const late = setTimeout(CLOSE_WAIT_MS, undefined, { signal: timer.signal }).then(() => this.#worker.terminate());
    late.catch(() => {});
    await ended;
    timer.abort();
  }

  #post(request: Request): void {
    this.#port.postMessage(request);
  }

  #request(request: Unnumbered<Request>, to?: OutputSink): Promise<Reply> {
    if (this.#gone) return Promise.reject(this.#gone);
    const id = ++this.#id;
    return new Promise((receive, fail) => {
      this.#waiting.set(id, { receive, fail, ...(to && { to }) });
      this.#post({ ...request, id } as Request);
    });
  }

  #receive(reply: Reply): void {
    const waiting = this.#waiting.get(reply.id);
    if (reply.id === NOTICE && reply.is === 'output') this.#notify(reply.text);
    else if (reply.is === 'output') waiting?.to?.write(reply.text, reply.stream);
    else if (reply.is === 'question') {
      void waiting?.to?.ask(reply.question).then((answer) => this.#post({ id: reply.id, do: 'answer', answer }));
    } else {
      if (reply.is === 'done') this.state = reply.state;
      this.#waiting.delete(reply.id);
      waiting?.receive(reply);
    }
  }
}

/** An error as it was before it crossed the threads, where its class did not follow it. */
async function crossed(error: unknown): Promise<unknown> {
  if (!(error instanceof Error) || error.name !== 'OperatorError') return error;
  const hint = 'hint' in error && typeof error.hint === 'string' ? error.hint : undefined;
  // Loaded here only: the front end's thread has no other need of the engine.
  const { OperatorError } = await import('../src/index.ts');
  return new OperatorError(error.message, hint);
}
