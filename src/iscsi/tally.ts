/** Counts the SCSI commands of one connection as they are answered, for its session and for the way that each took to its LUN. */

import { CommandClock } from '../target/command-clock.ts';
import { countCommand, type Traffic } from '../target/traffic.ts';
import type { Link } from './link.ts';
import type { Session } from './session.ts';

export class Tally {
  readonly #connection: Link;
  readonly #session: Session;
  readonly #clock: CommandClock;

  constructor(connection: Link, session: Session) {
    this.#connection = connection;
    this.#session = session;
    this.#clock = new CommandClock(() => connection.host.now());
  }

  /**
   * @param traffic of its way @param sent bytes of data-in @param received bytes of data-out
   * @param arrivedAt milliseconds of the host's clock
   */
  count(traffic: Traffic | undefined, good: boolean, sent: number, received: number, arrivedAt: number): void {
    // A command that came after the last reading may end before the next one.
    const ms = Math.max(this.#clock.now(), this.#connection.now) - arrivedAt;
    countCommand(this.#session.traffic, good, sent, received, ms);
    if (traffic) countCommand(traffic, good, sent, received, ms);
  }
}
