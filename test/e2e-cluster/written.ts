/**
 * The writer in the guest (writer.c), and what of it must be in the image: every block holds the last write that was acknowledged,
 * or, of a block whose last write was not answered, that one.
 */

import { closeSync, openSync, readSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import type { HostMachine } from './guest.ts';

const blockBytes = 4096;
const sectorBytes = 512;
const magic = 0x74636c6970616972n;
const recordFile = '/tmp/writer.record';

/** Figures of the writer, since they were forgotten last: the longest it had no answer at all, and the longest that one write took. */
export interface WriterPace {
  readonly acknowledged: number;
  readonly reads: number;
  readonly longestGapMs: number;
  readonly longestWriteMs: number;
  readonly silentMs: number;
}

export interface WriterOptions {
  readonly device: string;
  readonly blocks: number;
  readonly seed: number;
}

/** A writer at work. */
export class Writer {
  readonly #guest: HostMachine;
  readonly #options: WriterOptions;

  private constructor(guest: HostMachine, options: WriterOptions) {
    this.#guest = guest;
    this.#options = options;
  }

  /** Begins to write, from the first block of the device on. */
  static async start(guest: HostMachine, options: WriterOptions): Promise<Writer> {
    const { device, blocks, seed } = options;
    await guest.tell(
      `writer ${device} 0 ${blocks} 4 ${seed} ${recordFile} >/tmp/writer.out 2>&1 & echo $! >/tmp/writer.pid`,
    );
    return new Writer(guest, options);
  }

  async pace(): Promise<WriterPace> {
    const { text } = await this.#guest.ask(
      'kill -0 $(cat /tmp/writer.pid) && cat /tmp/writer.state || cat /tmp/writer.out',
    );
    if (!text.startsWith('{')) throw new Error(text);
    const pace = JSON.parse(text) as WriterPace;
    // The one that has not ended yet counts, too.
    const { longestGapMs, longestWriteMs, silentMs } = pace;
    return {
      ...pace,
      longestGapMs: Math.max(longestGapMs, silentMs),
      longestWriteMs: Math.max(longestWriteMs, silentMs),
    };
  }

  /** From now on the longest times are others. */
  async forget(): Promise<void> {
    await this.#guest.tell('kill -USR1 $(cat /tmp/writer.pid); sleep 0.3');
  }

  /** Ends it. @returns the last write that each block was asked to take, and the last that was acknowledged */
  async record(): Promise<Uint32Array> {
    const wait = 'for try in $(seq 600); do kill -0 $pid 2>/dev/null || break; sleep 0.1; done';
    await this.#guest.tell(`pid=$(cat /tmp/writer.pid); kill $pid; ${wait}; cat /tmp/writer.out; [ -s ${recordFile} ]`);
    const bytes = Buffer.from(await this.#guest.tell(`gzip -c ${recordFile} | base64 -w 0`), 'base64');
    const data = gunzipSync(bytes);
    return new Uint32Array(data.buffer.slice(data.byteOffset, data.byteOffset + data.length));
  }

  /**
   * Compares what was acknowledged with the image itself.
   * @param image a copy of it. @returns how many acknowledged blocks were found. @throws with the first that differ
   */
  compare(record: Uint32Array, image: string): number {
    const { blocks, seed } = this.#options;
    const fd = openSync(image, 'r');
    const wrong: string[] = [];
    let found = 0;
    const data = Buffer.alloc(blockBytes);
    for (let block = 0; block < blocks; block += 1) {
      const [issued = 0, acknowledged = 0] = record.subarray(2 * block, 2 * block + 2);
      readSync(fd, data, 0, blockBytes, block * blockBytes);
      const sequences = new Set<number>();
      for (let at = 0; at < blockBytes; at += sectorBytes) {
        const isOurs =
          data.readBigUInt64LE(at) === magic &&
          data.readUInt32LE(at + 8) === block &&
          data.readUInt32LE(at + 16) === at / sectorBytes &&
          data.readUInt32LE(at + 20) === seed;
        sequences.add(isOurs ? data.readUInt32LE(at + 12) : data.readBigUInt64LE(at) === 0n ? 0 : -1);
      }
      // Sectors of one that was not answered may stand beside those of the one before it.
      const isRight = [...sequences].every((one) => one === acknowledged || one === issued);
      if (!isRight) wrong.push(`block ${block}: ${[...sequences]}, acknowledged ${acknowledged}, asked for ${issued}`);
      else if (acknowledged > 0) found += 1;
    }
    closeSync(fd);
    if (wrong.length > 0)
      throw new Error(`${wrong.length} blocks are not what was acknowledged:\n${wrong.slice(0, 10).join('\n')}`);
    return found;
  }
}
