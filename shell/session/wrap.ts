/** Lines that a person reads, broken between words. */

/** The widest paragraph. */
const columnsMax = 72;

/** Wraps paragraphs; lines that are indented stay as they are. */
export function wrapText(text: string, columns = columnsMax): string {
  return text
    .split('\n')
    .map((line) => wrapLine(line, columns))
    .join('\n');
}

function wrapLine(line: string, columns: number): string {
  if (line.startsWith(' ') || line.length <= columns) return line;
  const lines: string[] = [];
  for (const word of line.split(' ')) {
    const last = lines.at(-1);
    if (last === undefined || last.length + 1 + word.length > columns) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines.join('\n');
}
