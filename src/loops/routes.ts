/**
 * The routes: the loop that takes the connections of each target, as the management side tells the loop that receives. A route is
 * withdrawn before its target goes to another loop and told again when that loop has the target: no connection arrives where its target
 * is not served.
 */

import { MessageChannel } from 'node:worker_threads';
import type { Loop } from './loop.ts';

export class Routes {
  /** The number of the loop, by the path of the target. */
  readonly #told = new Map<string, number>();
  /** Loops that the receiving loop has a port to. */
  readonly #reached = new Set<number>();

  /**
   * Withdraws routes that do not hold any more; connections of their targets wait.
   * @returns when no connection is on its way by them
   */
  async withdraw(receiver: Loop, holds: (path: string, loop: number) => boolean): Promise<void> {
    const gone = [...this.#told].flatMap(([path, loop]) => (holds(path, loop) ? [] : [path]));
    for (const path of gone) this.#told.delete(path);
    if (gone.length > 0) await receiver.route(gone, undefined);
  }

  /** Tells new routes. @param loops by their number */
  async tell(receiver: Loop, routes: ReadonlyMap<string, number>, loops: readonly (Loop | undefined)[]): Promise<void> {
    const fresh = [...routes].filter(([path, loop]) => this.#told.get(path) !== loop);
    const byLoop = Map.groupBy(fresh, ([, loop]) => loop);
    for (const [path, loop] of fresh) this.#told.set(path, loop);
    await Promise.all(
      Array.from(byLoop, ([loop, found]) =>
        // All messages are sent at once: a route that is withdrawn meanwhile is withdrawn behind them.
        Promise.all([
          this.#connect(receiver, loop, loops[loop]!),
          receiver.route(
            found.map(([path]) => path),
            loop,
          ),
        ]),
      ),
    );
  }

  /** Notes that a thread has ended, and its end of every port with it. @param isReceiver the next receiving loop has to be told everything */
  forget(loop: number, isReceiver: boolean): void {
    this.#reached.delete(loop);
    for (const [path, to] of this.#told) if (isReceiver || to === loop) this.#told.delete(path);
    if (isReceiver) this.#reached.clear();
  }

  async #connect(receiver: Loop, number: number, loop: Loop): Promise<void> {
    if (this.#reached.has(number)) return;
    this.#reached.add(number);
    const { port1, port2 } = new MessageChannel();
    // Where the loop has ended, its end of the port has, too; the next loop gets another port.
    void loop.listen(port2).catch(() => {});
    await receiver.reach(number, port1);
  }
}
