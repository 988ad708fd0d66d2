/**
 * The store in etcd, by the JSON gateway that each of its members has: https://etcd.io/docs/v3.4/dev-guide/api_grpc_gateway/.
 * Where a member does not answer, another one is asked; a transaction only where it is certain that it was not made.
 */

import { OperatorError, reasonOf } from '../errors.ts';
import { runningMs, until } from '../system/running-time.ts';
import { type EtcdAnswer, EtcdConnection, RequestFailed } from './etcd-connection.ts';
import {
  type EtcdObject,
  eventsIn,
  failureIn,
  foundIn,
  keysIn,
  numberOf,
  objectOf,
  rangeRequest,
  revisionOf,
  transactedIn,
  transactionRequest,
} from './etcd-messages.ts';
import {
  type FoundValues,
  type KeyRange,
  type Store,
  type StoreCall,
  StoreError,
  type StoreMember,
  type StoreTransaction,
  type StoreWatch,
  type Transacted,
  transactionStepsMax,
  valueBytesMax,
} from './store.ts';
import { readSecrets, type StoreFiles } from './store-files.ts';

/** How etcd is reached. */
export interface EtcdOptions extends StoreFiles {
  /** `http://HOST:PORT` or `https://HOST:PORT`, of one member or more. */
  readonly endpoints: readonly string[];
}

/** How long a call is waited for when nobody says how long, and how long one member is before another one is asked. */
const callMs = 5_000;
const memberMs = 2_000;
/** How long it is waited after all members were asked in vain. */
const againMs = 100;

/** Whether a call may be made twice. */
type Repeatable = 'repeatable' | 'once';

/** How many endpoints there may be. */
const endpointsMax = 9;

/** `HOST:PORT,https://HOST:PORT` → endpoints. @throws OperatorError */
export function parseEndpoints(text: string, isSecure = false): string[] {
  const endpoints = text.split(',').map((word, at) => {
    const url = URL.parse(/^https?:\/\//.test(word) ? word : `${isSecure ? 'https' : 'http'}://${word}`);
    const isPlain = url && url.pathname === '/' && url.search === '' && url.username === '' && url.hostname !== '';
    if (!isPlain)
      throw new OperatorError(
        `Endpoint ${at + 1} of etcd is no address that can be used; user and password have files of their own.`,
        'For example: https://10.0.0.1:2379,https://10.0.0.2:2379',
      );
    return `${url.protocol}//${url.hostname}:${url.port || '2379'}`;
  });
  if (endpoints.length > endpointsMax) throw new OperatorError(`More than ${endpointsMax} endpoints.`);
  return [...new Set(endpoints)];
}

/** @throws OperatorError for files that cannot be read */
export function openEtcd(options: EtcdOptions): Store {
  return new Etcd(options);
}

class Etcd implements Store {
  readonly #options: EtcdOptions;
  readonly #connections: EtcdConnection[];
  /** The member that answered last. */
  #preferred = 0;
  /** The token that etcd gave for name and password; undefined: there is none. */
  #token: string | undefined;
  readonly #watches = new Set<() => void>();
  #isClosed = false;

  constructor(options: EtcdOptions) {
    this.#options = options;
    const certificates = readSecrets(options);
    this.#connections = options.endpoints.map((endpoint) => new EtcdConnection(endpoint, certificates));
  }

  async read(range: KeyRange, call?: StoreCall): Promise<FoundValues> {
    return foundIn(await this.#call('/v3/kv/range', rangeRequest(range), 'repeatable', call));
  }

  async transact(transaction: StoreTransaction, call?: StoreCall): Promise<Transacted> {
    const { do: made, otherwise = [], when } = transaction;
    const steps = [...made, ...otherwise];
    if ([made, otherwise, when].some(({ length }) => length > transactionStepsMax))
      throw new StoreError('too large', `A transaction has ${transactionStepsMax} steps at most.`);
    if (steps.some((step) => 'put' in step && Buffer.byteLength(step.value) > valueBytesMax))
      throw new StoreError('too large', `A value has ${valueBytesMax} bytes at most.`);
    const isReading = steps.every((step) => 'read' in step);
    const body = transactionRequest(transaction);
    return transactedIn(await this.#call('/v3/kv/txn', body, isReading ? 'repeatable' : 'once', call));
  }

  /** A lease that was granted twice ends by itself. */
  async grant(seconds: number, call?: StoreCall): Promise<string> {
    const { ID: lease } = await this.#call('/v3/lease/grant', { TTL: String(seconds) }, 'repeatable', call);
    if (typeof lease !== 'string') throw new StoreError('nonsense', 'etcd grants a lease without a name.');
    return lease;
  }

  async keepAlive(lease: string, call?: StoreCall): Promise<number> {
    const { result } = await this.#call('/v3/lease/keepalive', { ID: lease }, 'repeatable', call);
    const seconds = numberOf(objectOf(result)['TTL']);
    if (seconds <= 0) throw new StoreError('no lease', 'The lease has ended.');
    return seconds * 1_000;
  }

  async revoke(lease: string, call?: StoreCall): Promise<void> {
    await this.#call('/v3/lease/revoke', { ID: lease }, 'repeatable', call).catch((error: unknown) => {
      if (!(error instanceof StoreError && error.failure === 'no lease')) throw error;
    });
  }

  watch({ range, from, changed, ended }: StoreWatch): () => void {
    let stop = () => {};
    let isOver = false;
    const end = () => {
      isOver = true;
      this.#watches.delete(end);
      stop();
    };
    const fail = (error: StoreError) => {
      if (isOver) return;
      end();
      ended(error);
    };
    const request = { create_request: { ...keysIn(range), start_revision: String(from), progress_notify: true } };
    const heard = (message: unknown) => {
      const body = objectOf(message);
      const result = objectOf(body['result']);
      if (isOver) return;
      if (body['error'] !== undefined) fail(this.#errorOf(failureIn(body).reason, failureIn(body).failure));
      else if (numberOf(result['compact_revision']) > 0)
        fail(new StoreError('compacted', `etcd does not keep what was before revision ${result['compact_revision']}.`));
      else if (result['canceled'] === true)
        fail(this.#errorOf(String(result['cancel_reason'] ?? 'it ended the watch'), 'no answer'));
      else if (result['created'] !== true) changed(eventsIn(result), revisionOf(result));
    };
    this.#watches.add(end);
    const begin = async () => {
      const connection = this.#connections[this.#preferred]!;
      const token = await this.#authenticated(connection, callMs);
      if (isOver) return;
      stop = connection.listen('/v3/watch', request, token, heard, (error) => {
        this.#failed(connection, error);
        fail(silent(error));
      });
    };
    begin().catch((error: unknown) =>
      fail(error instanceof StoreError ? error : this.#errorOf(reasonOf(error), 'no answer')),
    );
    return end;
  }

  async members({ withinMs = memberMs }: StoreCall = {}): Promise<StoreMember[]> {
    return Promise.all(
      this.#connections.map(async (connection): Promise<StoreMember> => {
        const { endpoint } = connection;
        try {
          const token = await this.#authenticated(connection, withinMs);
          const answer = await connection.ask('/v3/maintenance/status', {}, token, withinMs);
          const body = objectOf(answer.body);
          if (answer.status !== 200) return { endpoint, problem: failureIn(body).reason };
          const [leader, self] = [body['leader'], objectOf(body['header'])['member_id']];
          const hasLeader = numberOf(leader) !== 0;
          const errors = Array.isArray(body['errors']) ? body['errors'].map(String) : [];
          return {
            ...{ endpoint, version: String(body['version']), bytes: numberOf(body['dbSize']) },
            ...{ hasLeader, isLeader: hasLeader && leader === self },
            ...(errors.length > 0 && { problem: errors.join('; ') }),
          };
        } catch (error) {
          return { endpoint, problem: reasonOf(error) };
        }
      }),
    );
  }

  close(): void {
    this.#isClosed = true;
    for (const end of [...this.#watches]) end();
    for (const connection of this.#connections) connection.close();
  }

  #errorOf(reason: string, failure: StoreError['failure']): StoreError {
    return new StoreError(failure, `etcd ${failure === 'refused' ? 'refuses' : 'answers'}: ${reason}`);
  }

  /** Asks one member after the other, and all of them again, until one answers or it is too late. @throws StoreError */
  async #call(path: string, body: unknown, repeatable: Repeatable, call: StoreCall = {}): Promise<EtcdObject> {
    const { withinMs = callMs } = call;
    const end = runningMs() + withinMs;
    let last: StoreError | undefined;
    const left = () => Math.max(1, end - runningMs());
    const round = async (): Promise<EtcdObject | undefined> => {
      for (let asked = 0; asked < this.#connections.length && runningMs() < end; asked += 1) {
        if (this.#isClosed) throw new StoreError('no answer', 'The connection to etcd was closed.');
        const connection = this.#connections[this.#preferred]!;
        try {
          return await this.#ask(connection, path, body, repeatable, left);
        } catch (error) {
          if (!(error instanceof Passing)) throw error;
          if (last === undefined || last.failure === 'no answer') last = error.error;
        }
      }
      // Only silence passes by itself.
      if (last !== undefined && last.failure !== 'no answer') throw last;
      return undefined;
    };
    const answer = await until(againMs, withinMs, round);
    if (answer) return answer;
    throw last ?? new StoreError('no answer', 'etcd does not answer.');
  }

  async #ask(
    connection: EtcdConnection,
    path: string,
    body: unknown,
    repeatable: Repeatable,
    left: () => number,
  ): Promise<EtcdObject> {
    // A request that must not be sent twice is waited for to the end.
    const within = () => (repeatable === 'repeatable' ? Math.min(memberMs, left()) : left());
    const send = async (): Promise<EtcdAnswer> => {
      const token = await this.#authenticated(connection, within());
      try {
        return await connection.ask(path, body, token, within());
      } catch (error) {
        if (error instanceof RequestFailed && mayHaveDone(error) && repeatable === 'once') {
          this.#failed(connection, error);
          throw unknownOutcome(error.message);
        }
        throw error;
      }
    };
    let answer: EtcdAnswer;
    try {
      answer = await send();
      if (isTokenOver(answer)) {
        this.#token = undefined;
        answer = await send();
      }
    } catch (error) {
      if (!(error instanceof RequestFailed)) throw error;
      this.#failed(connection, error);
      throw new Passing(silent(error));
    }
    const object = objectOf(answer.body);
    if (answer.status === 200 && object['error'] === undefined) return object;
    const { failure, elsewhere, isCertain, reason } = failureIn(object);
    if (!isCertain && repeatable === 'once') throw unknownOutcome(`${connection.endpoint}: ${reason}`);
    const error = this.#errorOf(reason, failure);
    if (!elsewhere) throw error;
    this.#next(connection);
    throw new Passing(error);
  }

  /** @returns what has to be said with each request; undefined where etcd knows of no users */
  async #authenticated(connection: EtcdConnection, withinMs: number): Promise<string | undefined> {
    if (this.#options.userFile === undefined || this.#token !== undefined) return this.#token;
    const { user, password } = readSecrets(this.#options);
    const answer = await connection.ask('/v3/auth/authenticate', { name: user, password }, undefined, withinMs);
    const { token } = objectOf(answer.body);
    if (typeof token === 'string') {
      this.#token = token;
      return token;
    }
    const { failure, reason } = failureIn(objectOf(answer.body));
    // Nobody has to prove anything.
    if (/authentication is not enabled/.test(reason)) return undefined;
    throw this.#errorOf(reason, failure);
  }

  #failed(connection: EtcdConnection, { failure }: RequestFailed): void {
    this.#next(connection);
    const at = this.#connections.indexOf(connection);
    if (failure !== 'certificate' || this.#isClosed || at < 0) return;
    // Certificates are replaced when their time is over: the files may be others now.
    try {
      this.#connections[at] = new EtcdConnection(connection.endpoint, readSecrets(this.#options));
      connection.close();
    } catch {
      // The files that were read before are kept.
    }
  }

  #next(failed: EtcdConnection): void {
    if (this.#connections[this.#preferred] === failed)
      this.#preferred = (this.#preferred + 1) % this.#connections.length;
  }
}

/** A failure after which another member may be asked. */
class Passing extends Error {
  readonly error: StoreError;

  constructor(error: StoreError) {
    super(error.message);
    this.error = error;
  }
}

const silences: Partial<Record<StoreError['failure'], string>> = {
  certificate: 'The certificate of etcd, or ours',
  'no answer': 'etcd does not answer',
};

const mayHaveDone = ({ wasSent, failure }: RequestFailed): boolean => wasSent && failure !== 'refused';

const silent = ({ failure, message }: RequestFailed): StoreError =>
  new StoreError(failure, `${silences[failure] ?? 'etcd'}: ${message}`);

const unknownOutcome = (why: string): StoreError =>
  new StoreError('unknown outcome', `etcd has not said whether the change was made: ${why}`);

const isTokenOver = ({ status, body }: EtcdAnswer): boolean =>
  status !== 200 && /invalid auth token/.test(failureIn(objectOf(body)).reason);
