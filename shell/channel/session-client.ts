/** A session on the other side of a channel, as a front end sees it: requests go out, replies come in. Knows no channel. */

import { answerFile } from './client-file.ts';
import {
  type LineCompletion,
  NOTICE,
  type OutputSink,
  type SessionState,
  type ShellClient,
  type ShellReply,
  type ShellRequest,
  type Terminal,
} from './protocol.ts';

/** A way to the session, and what ends it. */
export interface Channel {
  post(request: ShellRequest): void;
  /** Resolves when the other side is gone. */
  close(): Promise<void>;
}

/** Omit that keeps the members of a union apart. */
type Unnumbered<T> = T extends unknown ? Omit<T, 'id'> : never;

export class SessionClient implements ShellClient {
  hosted = false;
  state: SessionState = { prompt: '', path: '/', pager: false };
  readonly lost: Promise<Error>;
  readonly #channel: Channel;
  /** By the id of the request. */
  readonly #waiting = new Map<
    number,
    { receive(reply: ShellReply): void; fail(error: Error): void; to?: OutputSink }
  >();
  #id = 0;
  #running = 0;
  #gone: Error | null = null;
  #closing = false;
  #lose: (error: Error) => void = () => {};
  #notices: string[] = [];
  #notify = (text: string): void => void this.#notices.push(text);

  constructor(channel: Channel) {
    this.#channel = channel;
    this.lost = new Promise((resolve) => {
      this.#lose = resolve;
    });
  }

  /** The channel broke, or ended: what waits for an answer fails. */
  end(error: Error): void {
    this.#gone ??= error;
    for (const { fail } of this.#waiting.values()) fail(this.#gone);
    this.#waiting.clear();
    if (!this.#closing) this.#lose(this.#gone);
  }

  /** Takes what came over the channel. */
  receive(reply: ShellReply): void {
    const waiting = this.#waiting.get(reply.id);
    if (reply.id === NOTICE && reply.is === 'output') this.#notify(reply.text);
    else if (reply.is === 'output') waiting?.to?.write(reply.text, reply.stream);
    else if (reply.is === 'question') {
      const { question } = reply;
      const asked = question.kind === 'file' ? answerFile(question.path) : waiting?.to?.ask(question);
      void asked?.then((answer) => this.#gone ?? this.#channel.post({ id: reply.id, do: 'answer', answer }));
    } else {
      if (reply.is === 'done') this.state = reply.state;
      this.#waiting.delete(reply.id);
      waiting?.receive(reply);
    }
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

  async complete(line: string, cursor: number): Promise<LineCompletion> {
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
    if (!this.#gone) this.#channel.post({ id: this.#running, do: 'interrupt' });
  }

  async close(): Promise<void> {
    if (this.#closing || this.#gone) return;
    this.#closing = true;
    await this.#channel.close();
  }

  #request(request: Unnumbered<ShellRequest>, to?: OutputSink): Promise<ShellReply> {
    if (this.#gone) return Promise.reject(this.#gone);
    const id = ++this.#id;
    return new Promise((receive, fail) => {
      this.#waiting.set(id, { receive, fail, ...(to && { to }) });
      this.#channel.post({ ...request, id } as ShellRequest);
    });
  }
}
