/** Characters that a terminal must never get from a name: every class of them once. */

/** Escape sequences of both sets, a bell, a delete, a direction override, an isolate, a zero-width character, a line separator. */
export const hostile = 'x\x1b[31;1m\x1b]0;t\x07\x7f\x9b2j\x00\r\u202e\u2066\u200b\u2028y';

/** The hostile text without characters that no name in a tree can hold: NUL, white space and a slash. */
export const hostileName = hostile.replace(/[\0\s/]/g, '');

/** Characters in `text` that should have been written out; line ends and tabs may be there. */
export const rawIn = (text: string): string =>
  (text.match(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu) ?? [])
    .filter((one) => one !== '\n' && one !== '\t')
    .map((one) => one.codePointAt(0)!.toString(16))
    .join(' ');
