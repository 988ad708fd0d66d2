/** The bytes of a range that have come, in whatever order (RFC 7143 13.18: DataPDUInOrder=No). */

/** The number of pieces that do not touch: a transfer in more pieces is an attack on our memory. */
const piecesMax = 256;

export class Coverage {
  /** The pieces: disjoint, ascending. */
  #pieces: { readonly start: number; readonly end: number }[] = [];

  /** Notes that the bytes from `start` up to `end` have come. @returns false when they lie in too many pieces */
  add(start: number, end: number): boolean {
    const touching = this.#pieces.filter((piece) => piece.end >= start && piece.start <= end);
    const merged = {
      start: Math.min(start, ...touching.map((piece) => piece.start)),
      end: Math.max(end, ...touching.map((piece) => piece.end)),
    };
    const at = this.#pieces.findIndex((piece) => piece.end >= start);
    this.#pieces.splice(at < 0 ? this.#pieces.length : at, touching.length, merged);
    return this.#pieces.length <= piecesMax;
  }

  /** The end of the bytes that have come without a gap, from `start` on. */
  reach(start: number): number {
    return this.#pieces.find((piece) => piece.start <= start && piece.end > start)?.end ?? start;
  }
}
