/** Moves a range of an open file as a whole: where the kernel moves a part, the rest follows, and an error has its place. */

import { systemError } from '../system/system-error.ts';
import { type IoEnd, waitingIo } from '../system/waiting-io.ts';
import type { MediumError } from './backstore.ts';

/** The size of the pieces in which zeros are written where no system call does it. */
const zeroPieceBytes = 1024 * 1024;

type Move = (bytes: Uint8Array, position: number, ended: IoEnd) => void;
/** Called at the end: without an error all was moved. */
export type Whole = (error?: MediumError) => void;

const failedAt = (position: number, error: NodeJS.ErrnoException): MediumError => Object.assign(error, { position });

/** The error for a file that another process has cut short: data behind `whole` is lost. */
export const cutShort = (call: string, position: number, whole: number): MediumError =>
  failedAt(Math.max(position, whole), systemError('EIO', call));

/** Fills `into`; a file that ends before that is EIO. */
export const readWholeLater = (fd: number, into: Uint8Array, position: number, whole: Whole): void =>
  moveWhole('read', 'EIO', into, position, (piece, at, ended) => waitingIo().read(fd, piece, at, ended), whole);

/** Fills `into`, as `readWholeLater` does. @throws MediumError */
export const readAll = (fd: number, into: Uint8Array, position: number): Promise<void> =>
  new Promise((resolve, reject) => readWholeLater(fd, into, position, (error) => (error ? reject(error) : resolve())));

/** Writes all of `from`. @param write returns the number of bytes that it has written @throws MediumError */
export const writeAll = (from: Uint8Array, position: number, write: Move): Promise<void> =>
  new Promise((resolve, reject) =>
    moveWhole('write', 'ENOSPC', from, position, write, (error) => (error ? reject(error) : resolve())),
  );

/** Writes zeros in pieces, one after another. @throws MediumError */
export async function writeZeros(fd: number, position: number, length: number): Promise<void> {
  const zeros = Buffer.alloc(Math.min(length, zeroPieceBytes));
  for (let done = 0; done < length; done += zeros.length)
    await writeAll(zeros.subarray(0, Math.min(zeros.length, length - done)), position + done, (from, at, ended) =>
      waitingIo().write(fd, from, at, ended),
    );
}

/** Moves a range in pieces, which need no order; of several errors, the first counts. @param nothing the error when nothing was moved */
function moveWhole(call: string, nothing: string, bytes: Uint8Array, position: number, move: Move, whole: Whole): void {
  const { pieceBytes } = waitingIo();
  let left = Math.max(1, Math.ceil(bytes.length / pieceBytes));
  let failed: MediumError | undefined;
  const movePiece = (from: number, to: number): void => {
    const goOn = (result: number): void => {
      if (result > 0) from += result;
      else if (!failed || position + from < failed.position)
        failed = failedAt(position + from, systemError(result < 0 ? -result : nothing, call));
      if (result > 0 && from < to) {
        next();
        return;
      }
      left -= 1;
      if (left === 0) whole(failed);
    };
    const next = () =>
      move(from === 0 && to === bytes.length ? bytes : bytes.subarray(from, to), position + from, goOn);
    next();
  };
  if (bytes.length === 0) whole();
  for (let from = 0; from < bytes.length; from += pieceBytes)
    movePiece(from, Math.min(from + pieceBytes, bytes.length));
}
