/** Requests to one member of etcd: HTTP or HTTPS, JSON in and out, with limits in time and size. */

import { type ClientRequest, Agent as HttpAgent, type IncomingMessage, request as overHttp } from 'node:http';
import { Agent as HttpsAgent, request as overHttps } from 'node:https';
import type { Socket } from 'node:net';
import { reasonOf } from '../errors.ts';
import { printableLine } from '../printable.ts';
import { whenLate } from '../system/running-time.ts';
import type { StoreFailure } from './store.ts';

/** The certificates of both sides; PEM. */
export interface EtcdCertificates {
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
}

/** Bytes of one answer, or of one message of a watch, at most. */
const answerBytesMax = 96 << 20;
/** How long it is tried to reach a member before another one is. */
const connectMs = 1_500;
/** How long a connection that nothing comes from is left alone before the system asks whether anybody is there. */
const probeMs = 5_000;
const socketsMax = 16;
/** Characters of a strange answer that are shown. */
const shownMax = 80;

/** A request that did not lead to an answer. */
export class RequestFailed extends Error {
  readonly failure: StoreFailure;
  /** The member may have got it. */
  readonly wasSent: boolean;

  constructor(failure: StoreFailure, message: string, wasSent: boolean) {
    super(message);
    this.name = 'RequestFailed';
    this.failure = failure;
    this.wasSent = wasSent;
  }
}

/** The answer of a member. */
export interface EtcdAnswer {
  readonly status: number;
  readonly body: unknown;
}

/** A member, at its address. */
export class EtcdConnection {
  readonly endpoint: string;
  readonly #url: URL;
  readonly #agent: HttpAgent | HttpsAgent;

  /** @param endpoint `http://HOST:PORT` or `https://HOST:PORT` */
  constructor(endpoint: string, certificates: EtcdCertificates) {
    this.endpoint = endpoint;
    this.#url = new URL(endpoint);
    const options = { keepAlive: true, maxSockets: socketsMax };
    this.#agent = this.#isSecure ? new HttpsAgent({ ...options, ...certificates }) : new HttpAgent(options);
  }

  get #isSecure(): boolean {
    return this.#url.protocol === 'https:';
  }

  /** @throws RequestFailed */
  ask(path: string, body: unknown, token: string | undefined, withinMs: number): Promise<EtcdAnswer> {
    return new Promise((resolve, reject) => {
      const parts: Buffer[] = [];
      let bytes = 0;
      const sent = this.#send(path, body, token, withinMs, {
        answered(response) {
          response.on('data', (part: Buffer) => {
            bytes += part.length;
            if (bytes > answerBytesMax) sent.fail('too large', `answers with more than ${answerBytesMax} bytes`);
            else parts.push(part);
          });
          response.on('end', () => {
            sent.end();
            const text = Buffer.concat(parts).toString('utf8');
            try {
              resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) });
            } catch {
              reject(sent.strange(text));
            }
          });
        },
        failed: reject,
      });
    });
  }

  /**
   * Asks for a stream of messages, one JSON text a line.
   * @param ended called once, unless the caller has ended it
   * @returns what ends it
   */
  listen(
    path: string,
    body: unknown,
    token: string | undefined,
    heard: (message: unknown) => void,
    ended: (error: RequestFailed) => void,
  ): () => void {
    let isOver = false;
    const sent = this.#send(path, body, token, undefined, {
      answered(response) {
        let parts: Buffer[] = [];
        let bytes = 0;
        response.on('data', (part: Buffer) => {
          for (let from = 0; !isOver && from < part.length; ) {
            const end = part.indexOf('\n', from);
            const piece = part.subarray(from, end < 0 ? undefined : end);
            parts.push(piece);
            bytes += piece.length;
            if (bytes > answerBytesMax) sent.fail('too large', `tells more than ${answerBytesMax} bytes at once`);
            if (end < 0) break;
            const line = Buffer.concat(parts).toString('utf8');
            [parts, bytes, from] = [[], 0, end + 1];
            try {
              heard(JSON.parse(line));
            } catch {
              sent.fail('nonsense', 'tells something else than JSON: is it etcd?');
            }
          }
        });
        response.on('end', () => sent.fail('no answer', 'ended the connection'));
      },
      failed(error) {
        if (!isOver) ended(error);
        isOver = true;
      },
    });
    return () => {
      isOver = true;
      sent.end();
      sent.request.destroy();
    };
  }

  close(): void {
    this.#agent.destroy();
  }

  #send(
    path: string,
    body: unknown,
    token: string | undefined,
    withinMs: number | undefined,
    { answered, failed }: { answered: (response: IncomingMessage) => void; failed: (error: RequestFailed) => void },
  ): Sent {
    const send = this.#isSecure ? overHttps : overHttp;
    const request = send(new URL(path, this.#url), {
      agent: this.#agent,
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        // A member without a leader says so, and ends watches, instead of waiting for one.
        'grpc-metadata-hasleader': 'true',
        ...(token !== undefined && { authorization: token }),
      },
    });
    const sent = new Sent(this.endpoint, request, failed);
    request.on('socket', (socket: Socket) => sent.on(socket, this.#isSecure));
    request.on('error', (error) => sent.broke(error));
    request.on('response', (response: IncomingMessage) => {
      response.on('error', (error) => sent.broke(error));
      answered(response);
    });
    if (withinMs !== undefined) sent.limit(withinMs);
    request.end(JSON.stringify(body));
    return sent;
  }
}

/** A request on its way, which fails once at most. */
class Sent {
  readonly request: ClientRequest;
  readonly #endpoint: string;
  readonly #failed: (error: RequestFailed) => void;
  #wasSent = false;
  #isOver = false;
  #stopLimit = () => {};
  #stopConnecting = () => {};

  constructor(endpoint: string, request: ClientRequest, failed: (error: RequestFailed) => void) {
    this.#endpoint = endpoint;
    this.request = request;
    this.#failed = failed;
    this.#stopConnecting = whenLate(connectMs, () => this.fail('no answer', 'cannot be reached'));
  }

  /** The connection that it goes by: what is written before that is open was not sent. */
  on(socket: Socket, isSecure: boolean): void {
    const open = () => {
      this.#wasSent = true;
      this.#stopConnecting();
      socket.setKeepAlive(true, probeMs);
    };
    // A connection that was used before is open.
    if (socket.bytesRead > 0) open();
    else socket.once(isSecure ? 'secureConnect' : 'connect', open);
  }

  limit(withinMs: number): void {
    this.#stopLimit = whenLate(withinMs, () => this.fail('no answer', 'does not answer'));
  }

  broke(error: Error): void {
    const code = 'code' in error ? String(error.code) : '';
    const isCertificate = /^ERR_(SSL|TLS)|CERT|SELF_SIGNED|UNABLE_TO_|EPROTO/.test(code);
    // A certificate is looked at before anything else is.
    if (isCertificate) this.#wasSent = false;
    this.fail(isCertificate ? 'certificate' : 'no answer', `: ${reasonOf(error)}`);
  }

  fail(failure: StoreFailure, why: string): void {
    if (this.#isOver) return;
    this.end();
    this.request.destroy();
    this.#failed(this.failure(failure, why));
  }

  /** The failure that an answer means which is no JSON. */
  strange(text: string): RequestFailed {
    if (text.startsWith('CommonName of client'))
      return this.failure('refused', 'takes users from certificates without a Common Name (CN) only: make one without');
    const shown = printableLine(text.slice(0, shownMax));
    return this.failure('nonsense', `answers with something else than JSON; is it etcd? ${shown}`);
  }

  failure(failure: StoreFailure, why: string): RequestFailed {
    return new RequestFailed(failure, `${this.#endpoint}${why.startsWith(':') ? '' : ' '}${why}`, this.#wasSent);
  }

  /** Nothing that happens from now on is a failure. */
  end(): void {
    this.#isOver = true;
    this.#stopLimit();
    this.#stopConnecting();
  }
}
