/** The clock that commands are measured by. It is not read for each of the commands that end in one go: that would be felt. */

/** How many commands that end in one go share a reading. */
const commandsPerReading = 16;

/** A clock for the commands of one connection or device. */
export class CommandClock {
  readonly #read: () => number;
  #now = 0;
  /** For how many more commands the last reading holds. */
  #left = 0;
  readonly #forget = () => {
    this.#left = 0;
  };

  /** @param read the clock itself, in milliseconds */
  constructor(read: () => number) {
    this.#read = read;
  }

  /** The time as it was read in this turn of the event loop. */
  now(): number {
    if (this.#left === 0) {
      this.#now = this.#read();
      queueMicrotask(this.#forget);
      this.#left = commandsPerReading;
    }
    this.#left -= 1;
    return this.#now;
  }
}
