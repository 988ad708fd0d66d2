/** System errors of our own making, in the shape Node gives its own: `code`, `errno`, `syscall`. */

import { getSystemErrorMap } from 'node:util';

const errnos = new Map([...getSystemErrorMap()].map(([errno, [name, text]]) => [name, { errno, text }]));

/**
 * Makes a system error as Node would throw it.
 * @param code its name (`EIO`) or the kernel's number for it (5); Node calls EOPNOTSUPP ENOTSUP, as both are 95
 */
export function systemError(code: string | number, syscall: string): NodeJS.ErrnoException {
  const name = typeof code === 'string' ? code : (getSystemErrorMap().get(-code)?.[0] ?? `E${code}`);
  const known = errnos.get(name);
  const error: NodeJS.ErrnoException = new Error(`${name}: ${known?.text ?? 'unknown error'}, ${syscall}`);
  error.code = name;
  error.syscall = syscall;
  if (known) error.errno = known.errno;
  return error;
}
