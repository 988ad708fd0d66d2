/** Descriptions as people write them: YAML, of which JSON is a part, in one document or in several, with comments. */

import { OperatorError } from '../errors.ts';
import { isRaw, type Raw } from '../operations/raw.ts';
import { descriptionSchema, faultsIn } from './description-schema.ts';

/** How many aliases (`*name`) a description may have: each may stand for a large part of it. */
const aliasesMax = 100;

/** Loaded by who has a description. It is a module of CommonJS, which bundled has its exports in one. */
const yaml = async () => (await import('yaml')).default;

/** A description, and where it stands. */
export interface Description {
  readonly given: Raw;
  readonly where: Where;
}

/** `FILE:LINE` of what the words lead to: a list, the number of an object in it, and so on. Without words: `FILE`. */
export type Where = (at: Words) => string;
type Words = readonly (string | number)[];

/** Where a secret is. */
export type SecretPlace = { readonly env: string } | { readonly file: string };

/**
 * Reads a description. @param secret what is at a place @param name of the file, for errors
 * @throws OperatorError with the line for what is no description
 */
export async function readDescription(
  text: string,
  name: string,
  secret: (place: SecretPlace) => Promise<string>,
): Promise<Description> {
  const { LineCounter, parseAllDocuments } = await yaml();
  const lines = new LineCounter();
  const lineOf = (offset: number) => lines.linePos(offset).line;
  const documents = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false });
  const lineIn = (document: Parsed, at: Words): number => {
    const node = document.getIn(at, true) as { range?: readonly number[] } | undefined;
    if (node?.range || at.length === 0) return lineOf((node?.range ?? document.range)[0]!);
    return lineIn(document, at.slice(0, -1));
  };
  const whole: Record<string, unknown[]> = {};
  /** By list, where each of its objects was. */
  const origins: Record<string, { document: Parsed; number: number }[]> = {};
  for (const document of 'empty' in documents ? [] : documents) {
    const [error] = document.errors;
    if (error) throw new OperatorError(`${name}:${lineOf(error.pos[0])}: ${error.message}`);
    const value: unknown = document.toJS({ maxAliasCount: aliasesMax });
    if (value === null) continue;
    const [fault] = faultsIn(value, descriptionSchema);
    if (fault)
      throw new OperatorError(
        `${name}:${lineIn(document, fault.at)}: ${fault.at.join('.') || 'this'} ${fault.what}`,
        'What there is: export schema',
      );
    for (const [key, list] of Object.entries(value as Record<string, unknown[]>)) {
      whole[key] = [...(whole[key] ?? []), ...list];
      origins[key] = [...(origins[key] ?? []), ...list.map((_, number) => ({ document, number }))];
    }
  }
  const where: Where = ([list, number, ...more]) => {
    const origin = origins[list ?? '']?.[Number(number)];
    return origin ? `${name}:${lineIn(origin.document, [list!, origin.number, ...more])}` : name;
  };
  return { given: (await resolved(whole, secret)) as Raw, where };
}

/** A document of the YAML parser. */
interface Parsed {
  readonly range: readonly number[];
  getIn(at: Words, keepScalar: true): unknown;
}

/** With secrets in the place of where they are. */
async function resolved(value: unknown, secret: (place: SecretPlace) => Promise<string>): Promise<unknown> {
  if (Array.isArray(value)) return Promise.all(value.map((one) => resolved(one, secret)));
  if (!isRaw(value)) return value;
  const entries = Object.entries(value).map(async ([key, inner]) => {
    const place = key.endsWith('password') && isRaw(inner) ? (inner as unknown as SecretPlace) : undefined;
    return [key, place ? await secret(place) : await resolved(inner, secret)] as const;
  });
  return Object.fromEntries(await Promise.all(entries));
}

/** A description as YAML or JSON. */
export async function printDescription(description: Raw, format: 'yaml' | 'json'): Promise<string> {
  if (format === 'json') return `${JSON.stringify(description, null, 2)}\n`;
  const { stringify } = await yaml();
  return stringify(description, { lineWidth: 0 });
}
