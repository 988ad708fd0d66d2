/** Counts the SCSI commands of one connection as they are answered, for its session and for the way that each took to its LUN. */

import { countCommand, type Traffic } from '../target/traffic.ts';
import type { Link } from './link.ts';
import type { Session } from './session.ts';

/** How many commands that end in one go share a reading of the clock. */
const commandsPerTime = 16;

export class Tally {
  readonly #connection: Link;
  readonly #session: Session;
  /** The clock as it was read last, and for how many more commands that holds. */
  #now = 0;
  #timeLeft = 0;
  readonly #forgetTime = () => {
    this.#timeLeft = 0;
  };

  constructor(connection: Link, session: Session) {
    this.#connection = connection;
    this.#session = session;
  }

  /**
   * @param traffic of its way @param sent bytes of data-in @param received bytes of data-out
   * @param arrivedAt milliseconds of the host's clock
   */
  count(traffic: Traffic | undefined, good: boolean, sent: number, received: number, arrivedAt: number): void {
    const ms = this.#time() - arrivedAt;
    countCommand(this.#session.traffic, good, sent, received, ms);
    if (traffic) countCommand(traffic, good, sent, received, ms);
  }

  /**
   * The host's clock, never before the last arrival. It is not read for each of the commands that end in one go: that
   * would be felt.
   */
  #time(): number {
    if (this.#timeLeft === 0) {
      this.#now = this.#connection.host.now();
      queueMicrotask(this.#forgetTime);
      this.#timeLeft = commandsPerTime;
    }
    this.#timeLeft -= 1;
    // What came after the last reading may end before the next one.
    return Math.max(this.#now, this.#connection.now);
  }
}
