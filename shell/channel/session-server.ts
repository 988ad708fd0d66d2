/** Serves one session over a channel of requests and replies: a worker's port, or a socket. Knows neither. */

import type { ClientQuestion, OutputSink, Question, ShellBackend, ShellReply, ShellRequest } from './protocol.ts';

/** Longer lines are refused: UTF-16 units. */
const LINE_LENGTH_MAX = 1 << 20;
/** Output is sent when this much is there, or when the session lets others run: UTF-16 units. */
const OUTPUT_CHUNK = 65_536;

export interface SessionServer {
  /** Handles a message. @returns false when it is no request of a session: nothing is done then */
  receive(message: unknown): boolean;
  /** Ends the running line and the question that it may wait in, because the other side is gone. */
  hangUp(): void;
}

/** @param post sends a reply; called in the order in which replies must arrive */
export function serveSession(session: ShellBackend, post: (reply: ShellReply) => void): SessionServer {
  let running: AbortController | null = null;
  let isGone = false;
  let answer: { id: number; give: (answer: string | null) => void } | null = null;

  const done = (id: number, ok: boolean, exit = false) => post({ id, is: 'done', ok, exit, state: session.state });

  const run = async (id: number, line: string) => {
    const output = bufferedOutput(id, post);
    if (running || line.length > LINE_LENGTH_MAX) {
      output.write(running ? 'Another line is still running.\n' : 'The line is too long.\n', 'error');
      output.flush();
      return done(id, false);
    }
    running = new AbortController();
    // The session asks one question at a time, since an answer does not say which question it is for.
    let asked: Promise<unknown> = Promise.resolve();
    const ask = (question: Question | ClientQuestion): Promise<string | null> => {
      const next = asked.then(() => put(question));
      asked = next;
      return next;
    };
    const put = (question: Question | ClientQuestion): Promise<string | null> => {
      if (isGone) return Promise.resolve(null);
      output.flush();
      post({ id, is: 'question', question });
      return new Promise((give) => {
        answer = { id, give };
      });
    };
    const sink: OutputSink = { write: output.write, ask, read: ask };
    let result = { ok: false, exit: false };
    try {
      result = await session.run(line, sink, running.signal);
    } catch (error) {
      output.write(`internal error: ${error instanceof Error ? error.message : String(error)}\n`, 'error');
    }
    running = null;
    answer = null;
    output.flush();
    done(id, result.ok, result.exit);
  };

  const complete = async (id: number, line: string, cursor: number) => {
    const completion = await session.complete(line, cursor).catch(() => ({ from: cursor, candidates: [] }));
    post({ id, is: 'completions', completion });
  };

  const give = (id: number | undefined, text: string | null) => {
    if (!answer || (id !== undefined && answer.id !== id)) return;
    const waiting = answer;
    answer = null;
    waiting.give(text);
  };

  return {
    receive(message) {
      if (!isRequest(message)) return false;
      if (message.do === 'run') void run(message.id, message.line);
      else if (message.do === 'complete') void complete(message.id, message.line, message.cursor);
      else if (message.do === 'answer') give(message.id, message.answer);
      else if (message.do === 'interrupt') running?.abort();
      else {
        session.setTerminal(message.terminal);
        done(message.id, true);
      }
      return true;
    },
    hangUp() {
      isGone = true;
      running?.abort();
      give(undefined, null);
    },
  };
}

/** Collects pieces of one stream into one reply, in order. */
function bufferedOutput(id: number, post: (reply: ShellReply) => void) {
  let text = '';
  let stream: 'output' | 'error' = 'output';
  let scheduled = false;
  const flush = () => {
    for (; text !== ''; text = text.slice(pieceEnd(text)))
      post({ id, is: 'output', stream, text: text.slice(0, pieceEnd(text)) });
  };
  const write: OutputSink['write'] = (piece, to) => {
    if (to !== stream) flush();
    stream = to;
    text += piece;
    if (text.length >= OUTPUT_CHUNK) return flush();
    if (scheduled) return;
    scheduled = true;
    setImmediate(() => {
      scheduled = false;
      flush();
    });
  };
  return { write, flush };
}

/** The end of a piece that one message can carry: never inside of a surrogate pair, nor of the sequence that is a colour. */
function pieceEnd(text: string): number {
  if (text.length <= OUTPUT_CHUNK) return OUTPUT_CHUNK;
  const isHigh = (text.charCodeAt(OUTPUT_CHUNK - 1) & 0xfc00) === 0xd800;
  if (isHigh) return OUTPUT_CHUNK - 1;
  const begun = /\x1b(?:\[[\d;]{0,16})?$/.exec(text.slice(OUTPUT_CHUNK - 20, OUTPUT_CHUNK));
  return OUTPUT_CHUNK - (begun?.[0].length ?? 0);
}

/** Whether a message is a request, whole and of the right types. */
export function isRequest(message: unknown): message is ShellRequest {
  if (typeof message !== 'object' || message === null) return false;
  const it = message as Record<string, unknown>;
  if (!Number.isSafeInteger(it['id'])) return false;
  switch (it['do']) {
    case 'run':
      return typeof it['line'] === 'string';
    case 'complete':
      return typeof it['line'] === 'string' && isIndex(it['cursor'], it['line'].length);
    case 'answer':
      return it['answer'] === null || typeof it['answer'] === 'string';
    case 'interrupt':
      return true;
    case 'terminal': {
      const terminal = it['terminal'] as Record<string, unknown> | null | undefined;
      return (
        typeof terminal === 'object' &&
        terminal !== null &&
        isIndex(terminal['columns'], 2 ** 16) &&
        typeof terminal['color'] === 'boolean' &&
        typeof terminal['interactive'] === 'boolean'
      );
    }
    default:
      return false;
  }
}

const isIndex = (value: unknown, max: number) =>
  typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= max;
