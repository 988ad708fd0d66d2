/** A program that a seccomp filter denies io_uring_setup(2), with the error number that it is given; it says how it waits. */

import { addressOf, foreignCall } from '../../src/system/ffi.ts';
import { joinRing, wayOfWaiting } from '../../src/system/waiting-io.ts';

const PR_SET_SECCOMP = 22;
const PR_SET_NO_NEW_PRIVS = 38;
const SECCOMP_MODE_FILTER = 2;
const SYS_io_uring_setup = 425;

/** struct sock_filter: code, jt, jf, k. Load the call's number; if it is that one, return the error, else allow. */
const filter = Buffer.alloc(4 * 8);
const instructions = [
  [0x20, 0, 0, 0],
  [0x15, 0, 1, SYS_io_uring_setup],
  [0x06, 0, 0, 0x00050000 | Number(process.argv[2])],
  [0x06, 0, 0, 0x7fff0000],
] as const;
for (const [at, [code, jt, jf, k]] of instructions.entries()) {
  filter.writeUInt16LE(code, at * 8);
  filter.writeUInt8(jt, at * 8 + 2);
  filter.writeUInt8(jf, at * 8 + 3);
  filter.writeUInt32LE(k, at * 8 + 4);
}
const prctl = foreignCall('prctl', 'int', ['int', 'ulong', 'void *', 'ulong', 'ulong'])()!;
/** struct sock_fprog: how many instructions, and where. */
const program = BigUint64Array.of(BigInt(instructions.length), addressOf(filter));
const results = [
  prctl.now(PR_SET_NO_NEW_PRIVS, 1, null, 0, 0),
  prctl.now(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program, 0, 0),
];
if (results.some((result) => result !== 0)) throw new Error(`prctl: ${results}`);
joinRing();
console.log(wayOfWaiting());
