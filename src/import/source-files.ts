/**
 * The files that a configuration is read from. An operator names them, and root's process opens them: no file may hold that process up or
 * fill its memory.
 */

import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';

/** The bytes of all files of one configuration together. */
const bytesMax = 1 << 20;
/** The number of files, and of lines that include some. */
const filesMax = 4096;

export class SourceFiles {
  #bytes: number;
  #files = 1;

  /** @param read the number of bytes of the configuration that were read already */
  constructor(read = 0) {
    this.#bytes = read;
  }

  /** Counts a file, or a line that names some. @throws Error when there are too many */
  count(): void {
    this.#files += 1;
    if (this.#files > filesMax) throw new Error(`the configuration includes more than ${filesMax} files`);
  }

  /** Reads a file. @throws Error for what is no regular file, and where all files together are too large */
  read(path: string): string {
    this.count();
    // Opening a FIFO waits for its other end without O_NONBLOCK, and opening a terminal could make it the process's own.
    const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
    try {
      if (!fstatSync(fd).isFile()) throw new Error('it is no regular file');
      // The size of a file in /proc is 0, so the bytes that are read count.
      const bytes = Buffer.allocUnsafe(bytesMax - this.#bytes + 1);
      let length = 0;
      for (let got = -1; got !== 0 && length < bytes.length; length += got)
        got = readSync(fd, bytes, length, bytes.length - length, null);
      if (length === bytes.length) throw new Error(`the configuration has more than ${bytesMax} bytes`);
      this.#bytes += length;
      return bytes.toString('utf8', 0, length);
    } finally {
      closeSync(fd);
    }
  }
}
