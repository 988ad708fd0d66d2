/** A session on the other side of a channel, as a front end sees it: requests go out, replies come in. Knows no channel. */

import {
  type ControlRefusal,
  printable,
  printableInColors,
  printableLine,
  type Status,
  whenLate,
} from '../../src/client.ts';
import { showLine } from '../session/secrets.ts';
import { TypedLine } from './client-file.ts';
import {
  type ClientQuestion,
  type LineCompletion,
  leaving,
  NOTICE,
  type OutputSink,
  type Question,
  type SessionState,
  type ShellClient,
  type ShellReply,
  type ShellRequest,
  type Terminal,
} from './protocol.ts';

/** A request of the control socket, beside the session's own. */
type StatusRequest = { readonly id: number; readonly do: 'status' };
type StatusReply = { readonly id: number; readonly is: 'status'; readonly status: Status };

/** How long a line that was interrupted may take to end until nobody waits for it: who serves may be stopped, or hang. */
const interruptWaitMs = 1_000;

const givenUpSaid =
  'Given up: the process that serves does not answer. Whether the line is carried out, it says when it answers again; until then, look before you repeat it.\nWhat is wrong with it: tcli daemon status. To replace it: tcli daemon restart --force\n';

const isForClient = (question: Question | ClientQuestion): question is ClientQuestion =>
  question.kind === 'file' || question.kind === 'variable';

function shown(question: Question): Question {
  const message = printable(question.message);
  if (question.kind !== 'select') return { ...question, message };
  const choices = question.choices.map(({ value, label }) => ({ value, label: printable(label) }));
  return { ...question, message, choices };
}

const shownCompletion = ({ candidates, note, ...rest }: LineCompletion): LineCompletion => ({
  ...rest,
  candidates: candidates.map((one) => ({ ...one, text: printableLine(one.text), help: printableLine(one.help) })),
  ...(note !== undefined && { note: printableLine(note) }),
});

/** A way to the session, and its end. */
export interface Channel {
  post(request: ShellRequest | StatusRequest): void;
  /** Resolves when the other side is gone. */
  close(): Promise<void>;
}

/** The reason why a session ended, in the words of the process that it was in. */
export class Farewell extends Error {
  /** `restart`: another process takes its place in a moment. */
  readonly ends: ControlRefusal['ends'];

  constructor({ error, ends }: ControlRefusal) {
    super(error);
    this.name = 'Farewell';
    this.ends = ends;
  }
}

/** A line that runs, and its sink. */
interface Typed {
  readonly line: TypedLine;
  readonly to: OutputSink;
}

/** An Omit that keeps the members of a union apart. */
type Unnumbered<T> = T extends unknown ? Omit<T, 'id'> : never;

/** One session, as its front end sees it. */
export class SessionClient implements ShellClient {
  hosted = false;
  state: SessionState = { prompt: '', path: '/', pager: false };
  readonly lost: Promise<Error>;
  readonly #channel: Channel;
  /** The requests that wait, by their id. */
  readonly #waiting = new Map<
    number,
    { receive(reply: ShellReply): void; fail(error: Error): void; typed?: Typed; told?(status: Status): void }
  >();
  /** Lines whose answer is not waited for any more, without their secrets. */
  readonly #givenUp = new Map<number, string>();
  /** Gives the running line up, and what does so when it is late. */
  #giveUp: (() => void) | undefined;
  #inTime: (() => void) | undefined;
  #id = 0;
  #running = 0;
  /** The line that was asked to end. */
  #isInterrupted = 0;
  #gone: Error | null = null;
  #farewell: Farewell | undefined;
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

  /** Ends the session because the channel broke, or ended: requests that wait for an answer fail. */
  end(error: Error): void {
    this.#gone ??= this.#farewell ?? error;
    for (const { fail } of this.#waiting.values()) fail(this.#gone);
    this.#waiting.clear();
    if (!this.#closing) this.#lose(this.#gone);
  }

  /** Takes a reply that came over the channel. */
  receive(reply: ShellReply | StatusReply | ControlRefusal): void {
    if (!('is' in reply)) {
      this.#farewell = new Farewell(reply);
      return;
    }
    const waiting = this.#waiting.get(reply.id);
    if (this.#givenUp.has(reply.id) && reply.is !== 'status') {
      this.#late(reply);
      return;
    }
    // The process that serves may be another user's, and the terminal obeys what is written to it.
    if (reply.id === NOTICE && reply.is === 'output') this.#notify(printableInColors(reply.text));
    else if (reply.is === 'output') waiting?.typed?.to.write(printableInColors(reply.text), reply.stream);
    else if (reply.is === 'status') {
      this.#waiting.delete(reply.id);
      waiting?.told?.(reply.status);
    } else if (reply.is === 'question') {
      const { question } = reply;
      const asked = isForClient(question)
        ? waiting?.typed?.line.answer(question)
        : waiting?.typed?.to.ask(shown(question));
      void asked?.then((answer) => this.#gone ?? this.#channel.post({ id: reply.id, do: 'answer', answer }));
    } else {
      if (reply.is === 'done') this.state = { ...reply.state, prompt: printableInColors(reply.state.prompt) };
      this.#waiting.delete(reply.id);
      waiting?.receive(
        reply.is === 'completions' ? { ...reply, completion: shownCompletion(reply.completion) } : reply,
      );
    }
  }

  async open(terminal: Terminal): Promise<void> {
    await this.#request({ do: 'terminal', terminal });
  }

  async run(line: string, to: OutputSink): Promise<{ ok: boolean; exit: boolean }> {
    const reply = this.#request({ do: 'run', line }, { line: new TypedLine(line), to });
    const id = this.#id;
    this.#running = id;
    const givenUp = new Promise<'given up'>((resolve) => {
      this.#giveUp = () => resolve('given up');
    });
    const done = await Promise.race([reply, givenUp]).finally(() => {
      this.#giveUp = undefined;
      this.#inTime?.();
    });
    if (done !== 'given up') return done.is === 'done' ? { ok: done.ok, exit: done.exit } : { ok: false, exit: false };
    this.#waiting.delete(id);
    this.#givenUp.set(id, showLine(line, printableLine).text.trim());
    to.write(givenUpSaid, 'error');
    return { ok: false, exit: leaving.includes(line.trim()) };
  }

  /** Takes replies to a line that was given up: a person is told of its end. */
  #late(reply: ShellReply): void {
    const line = this.#givenUp.get(reply.id);
    if (reply.is === 'question') this.#channel.post({ id: reply.id, do: 'answer', answer: null });
    if (reply.is !== 'done') return;
    this.#givenUp.delete(reply.id);
    this.state = { ...reply.state, prompt: printableInColors(reply.state.prompt) };
    this.#notify(`It answers again. ${reply.ok ? 'Carried out' : 'Not carried out'}: ${line}\n`);
  }

  /** The status of the process that the session is in. */
  status(): Promise<Status> {
    if (this.#gone) return Promise.reject(this.#gone);
    const id = ++this.#id;
    return new Promise((told, fail) => {
      this.#waiting.set(id, { receive: () => {}, fail, told });
      this.#channel.post({ id, do: 'status' });
    });
  }

  async complete(line: string, cursor: number): Promise<LineCompletion> {
    const reply = await this.#request({ do: 'complete', line, cursor });
    return reply.is === 'completions' ? reply.completion : { from: cursor, candidates: [] };
  }

  setTerminal(terminal: Terminal): void {
    // When the request fails the session is lost, and `lost` says so.
    this.open(terminal).catch(() => {});
  }

  notices(to: (text: string) => void): void {
    this.#notify = to;
    for (const text of this.#notices.splice(0)) to(text);
  }

  /** The running line ends as soon as it can; when that is not said soon, or this is called again, it is not waited for. */
  interrupt(): void {
    if (this.#gone) return;
    const running = this.#running;
    if (this.#isInterrupted === running) {
      this.#giveUp?.();
      return;
    }
    this.#isInterrupted = running;
    this.#channel.post({ id: running, do: 'interrupt' });
    if (this.#giveUp) this.#inTime = whenLate(interruptWaitMs, this.#giveUp);
  }

  async close(): Promise<void> {
    if (this.#closing || this.#gone) return;
    this.#closing = true;
    await this.#channel.close();
  }

  #request(request: Unnumbered<ShellRequest>, typed?: Typed): Promise<ShellReply> {
    if (this.#gone) return Promise.reject(this.#gone);
    const id = ++this.#id;
    return new Promise((receive, fail) => {
      this.#waiting.set(id, { receive, fail, ...(typed && { typed }) });
      this.#channel.post({ ...request, id } as ShellRequest);
    });
  }
}
