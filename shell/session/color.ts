/** Colors as escape sequences (ECMA-48 8.3.117, SGR): a table, because a one-shot command has no time to load more. */

const colors = { black: 30, red: 31, green: 32, yellow: 33, blue: 34, magenta: 35, cyan: 36, white: 37 } as const;
const styles = { bold: 1, underline: 4 } as const;

export type Color = keyof typeof colors | 'none';

/** `text`, which is printable, in a color and styles; text behind it has the styles from before. */
export function paintText(text: string, color: Color, inStyles: readonly (keyof typeof styles)[] = []): string {
  const codes = [...inStyles.map((style) => styles[style]), ...(color === 'none' ? [] : [colors[color]])];
  if (text === '') return '';
  return codes.length === 0 ? text : `${codes.map((code) => `\x1b[${code}m`).join('')}${text}\x1b[0m`;
}
