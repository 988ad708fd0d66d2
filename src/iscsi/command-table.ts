/**
 * The SCSI commands of a session that are not answered yet, by their initiator task tags. The table is not a Map: a Map would grow and
 * shrink with every batch, and each table that it leaves behind keeps young objects alive until a full collection.
 */

import type { Command } from './command.ts';

/** The number of places, a power of two; more commands than that share them. */
const places = 256;

export class CommandTable {
  readonly #places: (Command | undefined)[] = new Array(places).fill(undefined);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** All commands, as they are now. */
  [Symbol.iterator](): IterableIterator<Command> {
    const all: Command[] = [];
    for (const first of this.#places) for (let command = first; command; command = command.next) all.push(command);
    return all.values();
  }

  get(tag: number): Command | undefined {
    let command = this.#places[tag % places];
    while (command && command.tag !== tag) command = command.next;
    return command;
  }

  /** Adds a command whose tag is not in the table. */
  add(command: Command): void {
    const place = command.tag % places;
    command.next = this.#places[place];
    this.#places[place] = command;
    this.#size += 1;
  }

  delete(command: Command): void {
    const place = command.tag % places;
    let before = this.#places[place];
    if (before === command) this.#places[place] = command.next;
    else {
      while (before && before.next !== command) before = before.next;
      if (!before) return;
      before.next = command.next;
    }
    command.next = undefined;
    this.#size -= 1;
  }
}
