/** A line as a terminal shows it: characters with the colours and styles they have, however the sequences were written. */

/** ECMA-48 8.3.117, SGR. */
const sgr = /\x1b\[([0-9;]*)m/g;

/** The line with the fewest sequences that look the same; a style that is left on at its end stays visible. */
export function cells(line: string): string {
  if (!line.includes('\x1b')) return line;
  let [from, now, drawn, text] = [0, '', '', ''];
  const draw = (piece: string) => {
    if (piece === '') return;
    if (now !== drawn) text += `\x1b[0m${now}`;
    drawn = now;
    text += piece;
  };
  for (const found of line.matchAll(sgr)) {
    draw(line.slice(from, found.index));
    from = found.index + found[0].length;
    for (const code of (found[1] || '0').split(';')) {
      const styles = code === '0' ? [] : [...now.matchAll(sgr)].map(([, known = '']) => known);
      now = [...new Set(code === '0' ? styles : [...styles, code])]
        .sort()
        .map((one) => `\x1b[${one}m`)
        .join('');
    }
  }
  draw(line.slice(from));
  return now === drawn ? text : `${text}\x1b[0m${now}`;
}
