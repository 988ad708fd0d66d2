/** The screen of a terminal as an SVG image: text that can be selected, in the colours that the program chose. */

/** The part of xterm's cell that is used. */
interface Cell {
  getChars(): string;
  getWidth(): number;
  isFgPalette(): boolean;
  isFgRGB(): boolean;
  getFgColor(): number;
  isBold(): number;
  isDim(): number;
  isUnderline(): number;
  isInverse(): number;
}

/** The palette of a terminal with a dark background, readable on it (8 to 15 are the bright ones). */
const palette = [
  '#484f58',
  '#ff7b72',
  '#3fb950',
  '#d29922',
  '#58a6ff',
  '#bc8cff',
  '#39c5cf',
  '#c9d1d9',
  '#6e7681',
  '#ffa198',
  '#56d364',
  '#e3b341',
  '#79c0ff',
  '#d2a8ff',
  '#56d4dd',
  '#f0f6fc',
];
const [background, foreground] = ['#0d1117', '#c9d1d9'];
const cellWidth = 8;
const lineHeight = 18;
const margin = 14;

const escaped = (text: string) => text.replace(/[&<>]/g, (char) => `&#${char.charCodeAt(0)};`);

const colourOf = (cell: Cell): string => {
  if (cell.isFgRGB()) return `#${cell.getFgColor().toString(16).padStart(6, '0')}`;
  return cell.isFgPalette() ? (palette[cell.getFgColor()] ?? foreground) : foreground;
};

/** How text looks, as attributes of a `tspan`. */
const styleOf = (cell: Cell): string =>
  [
    colourOf(cell) === foreground ? '' : ` fill="${colourOf(cell)}"`,
    cell.isBold() ? ' font-weight="bold"' : '',
    cell.isDim() ? ' opacity="0.6"' : '',
    cell.isUnderline() ? ' text-decoration="underline"' : '',
  ].join('');

/** Cells that look alike, one after the other; each begins where its first cell stands, whatever the font. */
function runsOf(cells: readonly Cell[]): string {
  const runs: { x: number; style: string; text: string }[] = [];
  for (const [x, cell] of cells.entries()) {
    if (cell.getWidth() === 0) continue;
    const style = styleOf(cell);
    const text = cell.getChars() || ' ';
    const last = runs.at(-1);
    if (last?.style === style) last.text += text;
    else runs.push({ x, style, text });
  }
  return runs
    .filter(({ text }) => text.trim() !== '')
    .map(({ x, style, text }) => {
      // Viewers drop blanks at the beginning.
      const blanks = text.length - text.trimStart().length;
      return `<tspan x="${margin + (x + blanks) * cellWidth}"${style}>${escaped(text.trim())}</tspan>`;
    })
    .join('');
}

/** @param cursor the cell that it covers */
export function screenSvg(
  lines: readonly (readonly Cell[])[],
  columns: number,
  cursor: { readonly x: number; readonly y: number },
): string {
  const [width, height] = [columns * cellWidth + 2 * margin, lines.length * lineHeight + 2 * margin];
  const top = (y: number) => margin + y * lineHeight;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}">`,
    '<title>A session of tcli in a terminal</title>',
    `<rect width="${width}" height="${height}" rx="8" fill="${background}"/>`,
    `<rect x="${margin + cursor.x * cellWidth}" y="${top(cursor.y) + 2}" width="${cellWidth}" height="${lineHeight - 4}" fill="${foreground}" opacity="0.6"/>`,
    `<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, monospace" font-size="13.3" fill="${foreground}" style="white-space: pre">`,
    ...lines.flatMap((cells, y) => {
      const runs = runsOf(cells);
      return runs === '' ? [] : [`<text y="${top(y) + 13}">${runs}</text>`];
    }),
    '</g>',
    '</svg>',
    '',
  ].join('\n');
}
