/** The lines of `info`: `key: value`, sorted, as Python prints values (targetcli.md 6.0). */

export type InfoValue = string | number | boolean | null | undefined;

export function printInfo(info: (line: string) => void, entries: Readonly<Record<string, InfoValue>>): void {
  for (const key of Object.keys(entries).sort())
    if (entries[key] !== undefined) info(`${key}: ${printed(entries[key])}`);
}

function printed(value: InfoValue): string {
  if (value === true) return 'True';
  if (value === false) return 'False';
  return value === null ? 'None' : String(value);
}
