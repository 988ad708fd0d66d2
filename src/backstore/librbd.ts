/**
 * The calls of librados and librbd that are used here, as their headers declare them. Handles are addresses. Completions are polled after
 * an eventfd was raised, so that no call is given a function of ours.
 */

import { type ForeignCall, foreignCall, type Library } from '../system/ffi.ts';

const librados: Library = { file: 'librados.so.2', failure: 'result' };
const librbd: Library = { file: 'librbd.so.1', failure: 'result' };

const handle = 'int64';
const out = 'void *';
const text = 'str';

const rados = (name: string, types: readonly string[], result: 'int' | 'int64' | 'void' = 'int') =>
  foreignCall(`rados_${name}`, result, types, librados);
const rbd = (name: string, types: readonly string[], result: 'int' | 'int64' | 'void' = 'int') =>
  foreignCall(`rbd_${name}`, result, types, librbd);

/** librados.h */
const radosCalls = {
  create: rados('create', [out, text]),
  readConfiguration: rados('conf_read_file', [handle, text]),
  set: rados('conf_set', [handle, text, text]),
  connect: rados('connect', [handle]),
  shutdown: rados('shutdown', [handle], 'void'),
  addresses: rados('getaddrs', [handle, out]),
  pool: rados('ioctx_create', [handle, text, out]),
  setNamespace: rados('ioctx_set_namespace', [handle, text], 'void'),
  leavePool: rados('ioctx_destroy', [handle], 'void'),
  /** The command takes texts and their number, and an input with its length; it gives an output and a status, each an address and a length. */
  ask: rados('mon_command', [handle, out, 'size_t', handle, 'size_t', out, out, out, out]),
  free: rados('buffer_free', [handle], 'void'),
  latestMap: rados('wait_for_latest_osdmap', [handle]),
  /** The holders of an object's lock: whether it is exclusive, its tag, and for each holder a name, a cookie and an address, in text. */
  lockers: rados('list_lockers', [handle, text, text, out, out, out, out, out, out, out, out, out], 'int64'),
  breakLock: rados('break_lock', [handle, text, text, text, text]),
  readObject: rados('read', [handle, text, out, 'size_t', 'uint64']),
} as const;

/** librbd.h */
const rbdCalls = {
  open: rbd('aio_open', [handle, text, handle, handle, handle]),
  close: rbd('aio_close', [handle, handle]),
  completion: rbd('aio_create_completion', [handle, handle, out]),
  isComplete: rbd('aio_is_complete', [handle]),
  result: rbd('aio_get_return_value', [handle], 'int64'),
  release: rbd('aio_release', [handle], 'void'),
  notifyBy: rbd('set_image_notification', [handle, 'int', 'int']),
  poll: rbd('poll_io_events', [handle, out, 'int']),
  read: rbd('aio_read', [handle, 'uint64', 'size_t', handle, handle]),
  readVector: rbd('aio_readv', [handle, handle, 'int', 'uint64', handle]),
  write: rbd('aio_write', [handle, 'uint64', 'size_t', handle, handle]),
  writeVector: rbd('aio_writev', [handle, handle, 'int', 'uint64', handle]),
  flush: rbd('aio_flush', [handle, handle]),
  discard: rbd('aio_discard', [handle, 'uint64', 'uint64', handle]),
  writeZeroes: rbd('aio_write_zeroes', [handle, 'uint64', 'size_t', handle, 'int', 'int']),
  compareAndWrite: rbd(
    'aio_compare_and_write',
    [handle, 'uint64', 'size_t', handle, handle, handle, handle, 'int'],
    'int64',
  ),
  size: rbd('get_size', [handle, out]),
  features: rbd('get_features', [handle, out]),
  id: rbd('get_id', [handle, out, 'size_t']),
  stat: rbd('stat', [handle, out, 'size_t']),
  stripeUnit: rbd('get_stripe_unit', [handle, out]),
  resize: rbd('resize', [handle, 'uint64']),
  snapshots: rbd('snap_list', [handle, out, out]),
  freeSnapshots: rbd('snap_list_end', [out], 'void'),
  snapshotTime: rbd('snap_get_timestamp', [handle, 'uint64', out]),
  createSnapshot: rbd('snap_create', [handle, text]),
  removeSnapshot: rbd('snap_remove', [handle, text]),
  rollback: rbd('snap_rollback', [handle, text]),
  createOptions: rbd('image_options_create', [out], 'void'),
  setOption: rbd('image_options_set_uint64', [handle, 'int', 'uint64']),
  freeOptions: rbd('image_options_destroy', [handle], 'void'),
  clone: rbd('clone3', [handle, text, text, handle, text, handle]),
  lock: rbd('lock_acquire', [handle, 'int']),
  isOwner: rbd('is_exclusive_lock_owner', [handle, out]),
  owners: rbd('lock_get_owners', [handle, out, out, out]),
  freeOwners: rbd('lock_get_owners_cleanup', [out, 'size_t'], 'void'),
  watchers: rbd('watchers_list', [handle, out, out]),
  freeWatchers: rbd('watchers_list_cleanup', [out, 'size_t'], 'void'),
} as const;

/** `EVENT_TYPE_EVENTFD` */
export const notifyByEventfd = 2;
/** `RBD_LOCK_MODE_EXCLUSIVE` */
export const exclusive = 0;
/** `RBD_FEATURE_EXCLUSIVE_LOCK`, `RBD_FEATURE_OBJECT_MAP` */
export const feature = { exclusiveLock: 1n << 2n, objectMap: 1n << 3n } as const;
/** `RBD_WRITE_ZEROES_FLAG_THICK_PROVISION` */
export const thick = 1;
/** `rbd_image_watcher_t`: address of the client's address, its number, a cookie. */
export const watcherWords = 3;
/** `rbd_snap_info_t`: number, size, address of the name. */
export const snapshotWords = 3;
/** `RBD_IMAGE_OPTION_CLONE_FORMAT`, and the format whose snapshots need not be protected. */
export const cloneFormat = { option: 12, unprotected: 2 } as const;
/** `rbd_image_info_t`: size, object size and more, of which the last is a pool number. */
export const imageInfoBytes = 80;

type Bound<T> = { readonly [K in keyof T]: ForeignCall };

/** The two libraries, bound. */
export interface Ceph {
  readonly rados: Bound<typeof radosCalls>;
  readonly rbd: Bound<typeof rbdCalls>;
}

let found: Ceph | 'unavailable' | undefined;

/** The two libraries; undefined where they are not installed, are too old, or cannot be called. */
export function ceph(): Ceph | undefined {
  found ??= bindAll() ?? 'unavailable';
  return found === 'unavailable' ? undefined : found;
}

function bindAll(): Ceph | undefined {
  const [rados, rbd] = [bound(radosCalls), bound(rbdCalls)];
  return rados && rbd && { rados, rbd };
}

function bound<T extends Readonly<Record<string, () => ForeignCall | undefined>>>(calls: T): Bound<T> | undefined {
  const all = Object.entries(calls).map(([name, call]) => [name, call()] as const);
  return all.every(([, call]) => call) ? (Object.fromEntries(all) as Bound<T>) : undefined;
}
