/** What commands show, as data: the shape in docs/json.md. */

/** It changes when something in the shape goes away or changes its meaning. */
const version = 1;

/** The text of one answer. */
export const jsonAnswer = (command: string, path: string, data: unknown): string =>
  `${JSON.stringify({ tcli: version, command, path, data }, null, 2)}\n`;
