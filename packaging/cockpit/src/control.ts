/** The control socket of a running tcli (docs/protocol.md), through a channel of Cockpit: one JSON value to a line. */

import type { ControlReply, ControlRequest, WatchEvent } from '../../../src/daemon/control-protocol.ts';
import { bridge } from './cockpit.ts';

type Unnumbered<T> = T extends unknown ? Omit<T, 'id'> : never;
type Message = { readonly id?: number; readonly error?: string; readonly hint?: string; readonly is?: string };

/** What went wrong, in the words of whoever refused. */
export class Refused extends Error {
  readonly hint: string | undefined;

  constructor(message: string, hint?: string) {
    super(message);
    this.hint = hint;
  }
}

/** Why a channel could not be had, by Cockpit's own word for it. */
const problems: Readonly<Record<string, string>> = {
  'not-found': 'No tcli listens there. To start one: tcli daemon start',
  'access-denied':
    'You may not control it. Become an administrator in the menu above, or start it with: tcli serve --group GROUP',
  'not-authorized': 'You may not control it. Become an administrator in the menu above.',
};

/** A connection. With `session` it has a shell, which takes lines. */
export class Control {
  readonly #channel: ReturnType<typeof bridge.channel>;
  readonly #heard = new Map<number, (message: Message) => void>();
  /** Rejects when it is gone. */
  readonly gone: Promise<never>;
  #id = 0;
  #rest = '';

  constructor(socket: string, session: boolean) {
    this.#channel = bridge.channel({ payload: 'stream', unix: socket, superuser: 'try' });
    let lose: (error: Error) => void = () => {};
    this.gone = new Promise((_, reject) => {
      lose = reject;
    });
    this.gone.catch(() => {});
    this.#channel.addEventListener('message', (_, data) => {
      this.#rest += data;
      const lines = this.#rest.split('\n');
      this.#rest = lines.pop() ?? '';
      for (const line of lines) {
        const message = JSON.parse(line) as Message;
        if (message.id === undefined && message.error !== undefined) lose(new Refused(message.error, message.hint));
        else if (message.id !== undefined) this.#heard.get(message.id)?.(message);
      }
    });
    this.#channel.addEventListener('close', (_, { problem }) =>
      lose(new Refused(problems[problem ?? ''] ?? 'The connection was closed: tcli has ended, or is starting again.')),
    );
    this.#send({ tcli: 1, ...(session && { session: { cwd: '/', bareErrors: true } }) });
  }

  /** @throws Refused */
  ask<Is extends ControlReply['is']>(
    request: Unnumbered<ControlRequest>,
    is: Is,
  ): Promise<Extract<ControlReply, { is: Is }>> {
    return this.#during((id, resolve, reject) => {
      this.#send({ ...request, id });
      return (message) =>
        message.is === is
          ? resolve(message as Extract<ControlReply, { is: Is }>)
          : reject(new Refused(message.error ?? `an answer that was not asked for: ${message.is}`, message.hint));
    });
  }

  /** Hears what comes of a watch from now on. */
  watch(of: readonly string[], everyMs: number, hear: (event: WatchEvent) => void): void {
    const id = this.#next();
    this.#heard.set(id, (message) => {
      if (message.is !== 'watching') hear(message as WatchEvent);
    });
    this.#send({ id, do: 'watch', of, everyMs });
  }

  /**
   * Runs a line of the shell.
   * @param confirm answers a question of it
   * @returns what it printed. @throws Refused with what it complained of
   */
  run(line: string, confirm: (message: string) => Promise<boolean> = async () => true): Promise<string> {
    return this.#during((id, resolve, reject) => {
      const said = { output: '', error: '' };
      this.#send({ id, do: 'run', line });
      return (message) => {
        const reply = message as {
          readonly is: string;
          readonly stream?: 'output' | 'error';
          readonly text?: string;
          readonly ok?: boolean;
          readonly question?: { readonly message: string };
        };
        if (reply.is === 'output') said[reply.stream ?? 'output'] += reply.text ?? '';
        if (reply.is === 'question')
          void confirm(reply.question?.message ?? '').then((yes) =>
            this.#send({ id, do: 'answer', answer: yes ? 'yes' : 'no' }),
          );
        if (reply.is === 'failed') reject(new Refused(message.error ?? '', message.hint));
        if (reply.is !== 'done') return;
        if (reply.ok) return resolve(said.output);
        const [first = '', ...more] = (said.error || said.output).trim().split('\n');
        reject(new Refused(first, more.join('\n') || undefined));
      };
    });
  }

  close(): void {
    this.#channel.close();
  }

  #during<T>(
    begin: (id: number, resolve: (value: T) => void, reject: (error: Error) => void) => (message: Message) => void,
  ): Promise<T> {
    const id = this.#next();
    const answered = new Promise<T>((resolve, reject) => {
      this.#heard.set(id, begin(id, resolve, reject));
    });
    return Promise.race([answered, this.gone]).finally(() => this.#heard.delete(id));
  }

  #next(): number {
    this.#id += 1;
    return this.#id;
  }

  #send(message: object): void {
    this.#channel.send(`${JSON.stringify(message)}\n`);
  }
}

/** A word of a command line, in quotes. */
export const quoted = (text: string): string => `"${text.replace(/["\\]/g, '\\$&')}"`;
