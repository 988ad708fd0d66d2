/** The parts that are not compared: random names and numbers, and secrets, which one side shows and the other hides. */

/** The line at `at`, as it is called on both sides. The line that a heading is underlined with is as long as the heading. */
export const maskedAt = (lines: readonly string[], at: number): string =>
  /^-+$/.test(lines[at]!) && (lines[at - 1] ?? '').length === lines[at]!.length
    ? '-'.repeat(masked(lines[at - 1] ?? '').length)
    : masked(lines[at]!);

/** A line as it is called on both sides. */
export const masked = (line: string): string =>
  line
    .replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'UUID')
    .replace(/naa\.5001405[0-9a-f]{9}\b/g, 'naa.5001405RANDOM')
    .replace(/(?<=\.org\.linux-iscsi\.)[\w-]+(\.x8664:sn\.)[0-9a-f]{12}/g, 'HOST$1RANDOM')
    .replace(/(?<=\tsid: )\d+/, 'SID')
    .replace(/^((?:Info: )?Parameter (?:mutual_)?password is now ')[^']+(?='\.$)/, '$1SECRET')
    .replace(/^((?:Info: )?(?:chap_)?(?:mutual_)?password(?:=|: ))(?!string$)\S+/, '$1SECRET')
    .replace(/^((?:Info: )?alias: )[0-9a-f]{10}$/, '$1ALIAS');
