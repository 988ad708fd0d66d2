/** The words of etcd's JSON gateway: what we ask in them, and what its answers say. Numbers of 64 bits are texts there, zeros absent. */

import type {
  FoundValues,
  KeyRange,
  StoreComparison,
  StoredValue,
  StoreEvent,
  StoreFailure,
  StoreStep,
  StoreTransaction,
  Transacted,
} from './store.ts';

/** An object of an answer, of which nothing is known. */
export type EtcdObject = Readonly<Record<string, unknown>>;

const encode = (text: string): string => Buffer.from(text).toString('base64');
const decode = (text: unknown): string => Buffer.from(typeof text === 'string' ? text : '', 'base64').toString('utf8');

/** An object, or one with nothing in it. */
export const objectOf = (value: unknown): EtcdObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as EtcdObject) : {};
/** The objects of a list, or none. */
const listOf = (value: unknown): EtcdObject[] => (Array.isArray(value) ? value.map(objectOf) : []);
/** A number, or 0. */
export const numberOf = (value: unknown): number => Number(value ?? 0) || 0;
/** The revision in the header of an answer. */
export const revisionOf = (body: EtcdObject): number => numberOf(objectOf(body['header'])['revision']);

/** The first key that does not begin with `prefix`, in base64. */
function endOf(prefix: string): string {
  const bytes = Buffer.from(prefix);
  // UTF-8 has no byte of 255.
  bytes[bytes.length - 1]! += 1;
  return bytes.toString('base64');
}

/** The keys of a range. */
export function keysIn(range: KeyRange): EtcdObject {
  if ('key' in range) return { key: encode(range.key) };
  const from = range.after === undefined ? encode(range.prefix) : encode(`${range.after}\0`);
  return { key: from, range_end: endOf(range.prefix) };
}

/** A range to be read. */
export const rangeRequest = (range: KeyRange): EtcdObject => ({
  ...keysIn(range),
  ...('prefix' in range && range.max !== undefined && { limit: String(range.max) }),
});

const comparison = (one: StoreComparison): EtcdObject => {
  const key = encode(one.key);
  if ('modified' in one) return { key, target: 'MOD', mod_revision: String(one.modified) };
  if ('lease' in one) return { key, target: 'LEASE', lease: one.lease };
  return { key, target: 'VALUE', value: encode(one.value) };
};

const step = (one: StoreStep): EtcdObject => {
  if ('put' in one)
    return {
      request_put: {
        key: encode(one.put),
        value: encode(one.value),
        ...(one.lease !== undefined && { lease: one.lease }),
      },
    };
  if ('delete' in one) return { request_delete_range: { key: encode(one.delete) } };
  if ('deletePrefix' in one) return { request_delete_range: keysIn({ prefix: one.deletePrefix }) };
  return { request_range: rangeRequest(one.read) };
};

/** A transaction. */
export const transactionRequest = ({ when, do: steps, otherwise = [] }: StoreTransaction): EtcdObject => ({
  compare: when.map(comparison),
  success: steps.map(step),
  failure: otherwise.map(step),
});

const storedIn = (kv: EtcdObject): StoredValue => ({
  key: decode(kv['key']),
  value: decode(kv['value']),
  modified: numberOf(kv['mod_revision']),
  ...(numberOf(kv['lease']) !== 0 && { lease: String(kv['lease']) }),
});

/** The answer to a range. */
export const foundIn = (body: EtcdObject, revision = revisionOf(body)): FoundValues => ({
  values: listOf(body['kvs']).map(storedIn),
  more: body['more'] === true,
  revision,
});

/** The answer to a transaction. */
export function transactedIn(body: EtcdObject): Transacted {
  const revision = revisionOf(body);
  const found = listOf(body['responses']).flatMap((one) =>
    one['response_range'] === undefined ? [] : [foundIn(objectOf(one['response_range']), revision)],
  );
  return { succeeded: body['succeeded'] === true, revision, found };
}

/** The events of a message of a watch. */
export const eventsIn = (result: EtcdObject): StoreEvent[] =>
  listOf(result['events']).map((event) => {
    const value = storedIn(objectOf(event['kv']));
    return event['type'] === 'DELETE' ? { deleted: value.key, modified: value.modified } : { put: value };
  });

/** The meaning of an error. */
interface EtcdFailure {
  readonly failure: StoreFailure;
  /** Another member may know better. */
  readonly elsewhere: boolean;
  /** Nothing was changed. */
  readonly isCertain: boolean;
  readonly reason: string;
}

/** Reasons of etcd that mean more than their code: https://github.com/etcd-io/etcd/blob/v3.4.23/etcdserver/api/v3rpc/rpctypes/error.go */
const reasons: readonly [RegExp, StoreFailure][] = [
  [/invalid auth token|auth(entication)? failed|permission denied|user name is empty|invalid user ID/i, 'refused'],
  [/required revision has been compacted/, 'compacted'],
  [/requested lease not found/, 'no lease'],
  [/database space exceeded|request is too large|too many operations|larger than max/, 'too large'],
];

/** An error of etcd, by its code in gRPC. */
export function failureIn(body: EtcdObject): EtcdFailure {
  const error = objectOf(body['error']);
  const reason = String(body['message'] ?? body['error'] ?? error['message'] ?? 'no reason').replace(
    /^etcdserver: /,
    '',
  );
  const found = reasons.find(([words]) => words.test(reason));
  if (found) return { failure: found[1], elsewhere: false, isCertain: true, reason };
  // Asked for (`hasleader`), and said before anything else is done.
  if (reason === 'no leader') return { failure: 'no answer', elsewhere: true, isCertain: true, reason };
  const refused = numberOf(body['code'] ?? error['grpc_code']);
  // INVALID_ARGUMENT and FAILED_PRECONDITION, UNIMPLEMENTED: the same everywhere.
  const isOurs = [3, 9, 12].includes(refused);
  return { failure: isOurs ? 'nonsense' : 'no answer', elsewhere: !isOurs, isCertain: isOurs, reason };
}
