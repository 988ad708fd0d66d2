/**
 * A shell that outlives the process behind it: when the connection is lost the shell looks for another, and goes back to its path there.
 * The text at the prompt is the front end's, and stays; a line that was running is over, and an error says so.
 */

import { reasonOf } from '../../src/client.ts';
import {
  type LineCompletion,
  leaving,
  type OutputSink,
  type SessionState,
  type ShellClient,
  type Terminal,
} from './protocol.ts';

/** A connection that broke: the reason, and the state of its session. */
export interface LostConnection {
  readonly reason: Error;
  /** The path of the session. */
  readonly path: string;
  readonly terminal: Terminal;
  /** Whether the person typed a line since the last call: the connection is wanted then, whatever ended it. */
  wanted(): boolean;
  /** Aborted when the shell is left. */
  readonly left: AbortSignal;
  tell(text: string): void;
  /** Gives up the line that waits for the connection. */
  refuse(): void;
}

/** Connects again. Rejects when that cannot be: the shell then ends. */
export type Reconnect = (loss: LostConnection) => Promise<ShellClient>;

/** A session that outlives the connection to it. */
export class LastingClient implements ShellClient {
  readonly lost: Promise<Error>;
  readonly #reconnect: Reconnect;
  readonly #left = new AbortController();
  #terminal: Terminal;
  /** The session, or the next one while it is on its way. */
  #client: ShellClient | Promise<ShellClient>;
  #state: SessionState;
  #isWanted = false;
  #lose: (error: Error) => void = () => {};
  /** Notices that came before anybody listened. */
  #notices: string[] = [];
  #notify = (text: string): void => void this.#notices.push(text);
  /** Gives up waiting for the connection. */
  #interrupt: (() => void) | undefined;

  constructor(client: ShellClient, terminal: Terminal, reconnect: Reconnect) {
    this.#client = client;
    this.#state = client.state;
    this.#terminal = terminal;
    this.#reconnect = reconnect;
    this.lost = new Promise((resolve) => {
      this.#lose = resolve;
    });
    this.#watch(client);
  }

  get state(): SessionState {
    return this.#client instanceof Promise ? this.#state : this.#client.state;
  }

  async status(): Promise<Awaited<ReturnType<NonNullable<ShellClient['status']>>>> {
    const { status } = await this.#client;
    if (!status) throw new Error('no process is behind this session');
    return status.call(await this.#client);
  }

  notices(to: (text: string) => void): void {
    this.#notify = to;
    for (const text of this.#notices.splice(0)) to(text);
    if (!(this.#client instanceof Promise)) this.#client.notices?.(to);
  }

  async run(line: string, to: OutputSink): Promise<{ ok: boolean; exit: boolean }> {
    let client = this.#client;
    if (client instanceof Promise) {
      if (leaving.includes(line.trim())) return { ok: true, exit: true };
      this.#isWanted = true;
      const back = await this.#unlessInterrupted(client);
      if (!back) {
        to.write('The line was not run.\n', 'error');
        return { ok: false, exit: false };
      }
      client = back;
    }
    const session = client;
    try {
      return await session.run(line, to);
    } catch (error) {
      // The caller has to know of this error, which is no lost connection.
      if (this.#client === session) throw error;
      to.write(
        'The line was not answered. What it changed until then is stored: look before you repeat it.\n',
        'error',
      );
      return { ok: false, exit: false };
    }
  }

  async complete(line: string, cursor: number): Promise<LineCompletion> {
    const client = this.#client;
    const none = { from: cursor, candidates: [] };
    if (client instanceof Promise) return none;
    return client.complete(line, cursor).catch(() => none);
  }

  setTerminal(terminal: Terminal): void {
    this.#terminal = terminal;
    if (!(this.#client instanceof Promise)) this.#client.setTerminal(terminal);
  }

  interrupt(): void {
    if (this.#client instanceof Promise) this.#interrupt?.();
    else this.#client.interrupt();
  }

  async close(): Promise<void> {
    this.#left.abort();
    if (!(this.#client instanceof Promise)) await this.#client.close();
  }

  #watch(client: ShellClient): void {
    void client.lost?.then((reason) => {
      if (this.#left.signal.aborted) return;
      this.#state = client.state;
      this.#isWanted = false;
      const next = this.#again(reason);
      this.#client = next;
      next.catch((error) => this.#lose(error instanceof Error ? error : new Error(reasonOf(error))));
    });
  }

  async #again(reason: Error): Promise<ShellClient> {
    const client = await this.#reconnect({
      reason,
      path: this.#state.path,
      terminal: this.#terminal,
      wanted: () => {
        const isWanted = this.#isWanted;
        this.#isWanted = false;
        return isWanted;
      },
      left: this.#left.signal,
      tell: (text) => this.#notify(text),
      refuse: () => this.#interrupt?.(),
    });
    this.#client = client;
    client.setTerminal(this.#terminal);
    client.notices?.((text) => this.#notify(text));
    this.#watch(client);
    return client;
  }

  /** Waits for the connection. @returns undefined when the person does not want to wait */
  #unlessInterrupted(client: Promise<ShellClient>): Promise<ShellClient | undefined> {
    const given = new Promise<undefined>((resolve) => {
      this.#interrupt = () => resolve(undefined);
    });
    return Promise.race([client, given]).finally(() => {
      this.#interrupt = undefined;
    });
  }
}
