/**
 * Calls into C libraries, the machine's own first of all, through koffi. The first call that needs koffi loads it, and everything works
 * without it: `TCLI_FFI=off`, another platform or a missing koffi make every call absent.
 */

import { createRequire } from 'node:module';
import { systemError } from './system-error.ts';

type Koffi = Pick<typeof import('koffi'), 'load' | 'errno' | 'address' | 'view' | 'decode'>;
type Loaded = ReturnType<Koffi['load']>;

/** The number of calls that run off the event loop at one time, in this process; more wait. koffi itself takes 256. */
const callsOffLoopMax = 64;

/** A library, and the way in which its functions fail: by -1 and errno, or by the negative error number itself. */
export interface Library {
  /** The library's name, as the dynamic linker looks for it. Absent: the libraries that the process has anyway, the C library with them. */
  readonly file?: string;
  readonly failure: 'errno' | 'result';
}

const libc: Library = { failure: 'errno' };

/** One C function. Its arguments are passed as they are. */
export interface ForeignCall {
  /**
   * Calls on the event loop, which is only for functions that cannot block. The result, or the negative error number, as the kernel gives
   * it.
   */
  now(...args: unknown[]): number;
  /** Calls off the event loop. The result; rejects with a system error. */
  later(...args: unknown[]): Promise<number>;
}

let loaded: { readonly koffi: Koffi; readonly libraries: Map<string | undefined, Loaded> } | 'unavailable' | undefined;

function load(): typeof loaded {
  if (process.platform !== 'linux' || process.env['TCLI_FFI'] === 'off') return 'unavailable';
  try {
    return { koffi: createRequire(import.meta.url)('koffi'), libraries: new Map() };
  } catch {
    return 'unavailable';
  }
}

/**
 * Declares a C function, which is looked up when first asked for.
 * @param result the exact type of its result: the upper half of a register means nothing after an `int`
 * @param types of its arguments in koffi's words
 * @returns a function that gives the call, or undefined when it cannot be had here
 */
export function foreignCall(
  name: string,
  result: 'int' | 'int64' | 'void',
  types: readonly string[],
  library = libc,
): () => ForeignCall | undefined {
  let call: ForeignCall | 'unavailable' | undefined;
  return () => {
    call ??= bind(name, result, types, library) ?? 'unavailable';
    return call === 'unavailable' ? undefined : call;
  };
}

function bind(
  name: string,
  result: string,
  types: readonly string[],
  { file, failure }: Library,
): ForeignCall | undefined {
  loaded ??= load();
  if (loaded === undefined || loaded === 'unavailable') return undefined;
  const { koffi, libraries } = loaded;
  const errorOf = (value: number) => (failure === 'errno' ? koffi.errno() : -value);
  try {
    const library = libraries.get(file) ?? koffi.load(file ?? null);
    libraries.set(file, library);
    const native = library.func(name, result, [...types]);
    return {
      now(...args) {
        const value: number = native(...args);
        return value < 0 ? -errorOf(value) : value;
      },
      later: (...args) =>
        offLoop(
          () =>
            new Promise((resolve, reject) => {
              native.async(...args, (failure: unknown, value: number) => {
                if (failure) reject(failure);
                else if (value < 0) reject(systemError(errorOf(value), name));
                else resolve(value);
              });
            }),
        ),
    };
  } catch {
    return undefined;
  }
}

/** The address of `view`. It holds only while the view is held; a `foreignCall` must have given a call before. */
export function addressOf(view: ArrayBufferView): bigint {
  if (loaded === undefined || loaded === 'unavailable') throw new Error('no foreign calls here');
  return loaded.koffi.address(view);
}

/** A view of memory that no garbage collector knows, for as long as it is mapped; a `foreignCall` must have given a call before. */
export function viewOf(address: number, length: number): ArrayBuffer {
  if (loaded === undefined || loaded === 'unavailable') throw new Error('no foreign calls here');
  return loaded.koffi.view(BigInt(address), length);
}

/** The text at an address, up to its zero byte; a `foreignCall` must have given a call before. */
export function textAt(address: number | bigint): string {
  if (loaded === undefined || loaded === 'unavailable') throw new Error('no foreign calls here');
  return loaded.koffi.decode(BigInt(address), 'char', -1);
}

let running = 0;
const waiting: (() => void)[] = [];

async function offLoop(call: () => Promise<number>): Promise<number> {
  if (running === callsOffLoopMax) await new Promise<void>((resolve) => waiting.push(resolve));
  else running += 1;
  try {
    return await call();
  } finally {
    const next = waiting.shift();
    if (next) next();
    else running -= 1;
  }
}
