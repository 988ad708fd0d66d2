/**
 * Reading ahead: where an initiator reads a volume from front to back, the page cache is filled before the initiator asks. The
 * kernel does so too, but only as far as the device is set to, commonly 128 KiB, which one command of an initiator takes.
 */

/** Runs of reads that are told apart. Reads here and there need places of their own, lest they take those of the runs. */
const places = 16;
/** A run of so many bytes is taken for one that goes on. */
const bytesUntilBegun = 256 * 1024;
/** The cache is filled so far ahead of a run, and by no more than the run has read so far. */
const bytesAheadMax = 4 * 1024 * 1024;
/** The kernel reads no more for one request than what its device takes at once, which is at least this. */
const pieceBytes = 512 * 1024;
/** So many reads elsewhere a run outlives. */
const patience = 4;

/** Finds runs among the reads of one volume. */
export class ReadAhead {
  readonly #fetch: (position: number, length: number) => void;
  /** By place: where the run goes on, how long it is, up to where it was fetched, and how many reads elsewhere it outlives. */
  readonly #next = new Float64Array(places).fill(-1);
  readonly #length = new Float64Array(places);
  readonly #fetched = new Float64Array(places);
  readonly #patience = new Uint8Array(places);
  #hand = 0;

  /** @param fetch asks for bytes to be brought into the page cache, and does not wait */
  constructor(fetch: (position: number, length: number) => void) {
    this.#fetch = fetch;
  }

  /** Bytes are being read. @param size bytes of the volume */
  saw(position: number, length: number, size: number): void {
    const at = this.#next.indexOf(position);
    if (at < 0) this.#begin(position + length, length);
    else {
      this.#next[at] = position + length;
      const soFar = (this.#length[at] ?? 0) + length;
      this.#length[at] = soFar;
      this.#patience[at] = patience;
      if (soFar >= bytesUntilBegun) this.#fill(at, position + length, soFar, size);
    }
  }

  /** The place of the run that has stood still the longest becomes another's. */
  #begin(next: number, length: number): void {
    for (let left = this.#patience[this.#hand] ?? 0; left > 0; left = this.#patience[this.#hand] ?? 0) {
      this.#patience[this.#hand] = left - 1;
      this.#hand = (this.#hand + 1) % places;
    }
    this.#next[this.#hand] = next;
    this.#length[this.#hand] = length;
    this.#fetched[this.#hand] = next;
    this.#hand = (this.#hand + 1) % places;
  }

  /** Fetches for the run of a place, which is `soFar` bytes long, and goes on at `next`. */
  #fill(at: number, next: number, soFar: number, size: number): void {
    const end = Math.min(size, next + Math.min(soFar, bytesAheadMax));
    let from = Math.max(next, this.#fetched[at] ?? 0);
    // Whole pieces, or the rest of the volume.
    for (; from < end && (end - from >= pieceBytes || end === size); from += pieceBytes)
      this.#fetch(from, Math.min(pieceBytes, end - from));
    this.#fetched[at] = Math.min(from, end);
  }
}
