/** Lines as tgt-admin prints them: a shell could run each, so they are split as a shell would. */

/** Text in double quotes. */
export const quotedWord = (text: string): string => `"${text.replace(/["\\$`]/g, '\\$&')}"`;

/** The words of a line: blanks part them, except within double quotes. */
export const wordsOf = (line: string): string[] =>
  (line.match(/(?:[^\s"]|"(?:\\.|[^"\\])*"?)+/gs) ?? []).map((word) =>
    word.replace(/"((?:\\.|[^"\\])*)"?/gs, (_, text: string) => text.replace(/\\(["\\$`])/g, '$1')),
  );
