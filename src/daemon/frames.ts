/** The control socket's framing: one JSON value in UTF-8 to a line, ended by a newline. */

const NEWLINE = 0x0a;

/** A line that is too long, or that is no JSON. */
export class FrameError extends Error {}

/** A message as its line. */
export const encodeFrame = (message: unknown): string => `${JSON.stringify(message)}\n`;

/** Takes bytes, and gives messages. */
export class FrameReader {
  readonly #bytesMax: number;
  #pieces: Buffer[] = [];
  #length = 0;

  /** @param bytesMax the longest line */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** The messages that `bytes` completes. @throws FrameError: nothing that follows can be understood either */
  *read(bytes: Buffer): Generator<unknown> {
    let rest = bytes;
    for (let end = rest.indexOf(NEWLINE); end >= 0; end = rest.indexOf(NEWLINE)) {
      this.#keep(rest.subarray(0, end));
      rest = rest.subarray(end + 1);
      const line = Buffer.concat(this.#pieces).toString('utf8');
      this.#pieces = [];
      this.#length = 0;
      yield parse(line);
    }
    if (rest.length > 0) this.#keep(rest);
  }

  #keep(piece: Buffer): void {
    this.#length += piece.length;
    if (this.#length > this.#bytesMax) throw new FrameError(`a message has more than ${this.#bytesMax} bytes`);
    this.#pieces.push(piece);
  }
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    throw new FrameError('a message is not JSON');
  }
}
