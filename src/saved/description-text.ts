/** Descriptions as people write them: YAML, of which JSON is a part, in one document or in several, with comments. */

import { OperatorError } from '../errors.ts';
import { isRaw, type Raw } from '../operations/raw.ts';
import { isSecret } from '../target/auth.ts';
import { repetitionIn } from './described-objects.ts';
import { descriptionSchema, faultsIn } from './description-schema.ts';
import { readDocuments, type YamlDocument, yaml } from './yaml-documents.ts';

/** A description, and the lines of its files. */
export interface Description {
  readonly given: Raw;
  readonly where: Where;
}

/** The place, `FILE:LINE`, of the value that the words lead to: a list, the number of an object in it, and so on. Without words: `FILE`. */
export type Where = (at: Words) => string;
type Words = readonly (string | number)[];

/** The place of a secret: a variable of the environment, or a file. */
export type SecretPlace = { readonly env: string } | { readonly file: string };

/**
 * Reads a description. @param secret reads the secret at a place @param name of the file, for errors
 * @throws OperatorError with the line for what is no description
 */
export async function readDescription(
  text: string,
  name: string,
  secret: (place: SecretPlace) => Promise<string>,
): Promise<Description> {
  const whole: Record<string, unknown[]> = {};
  /** The places of the objects of each list. */
  const origins: Record<string, { document: YamlDocument; number: number }[]> = {};
  for (const document of await readDocuments(text, name)) {
    const { value } = document;
    if (value === null) continue;
    const [fault] = faultsIn(value, descriptionSchema);
    if (fault)
      throw new OperatorError(
        `${name}:${document.lineOf(fault.at)}: ${fault.at.join('.') || 'this'} ${fault.what}`,
        'What there is: export schema',
      );
    for (const [key, list] of Object.entries(value as Record<string, unknown[]>)) {
      whole[key] ??= [];
      origins[key] ??= [];
      for (const [number, one] of list.entries()) {
        whole[key].push(one);
        origins[key].push({ document, number });
      }
    }
  }
  const where: Where = ([list = '', number, ...more]) => {
    const origin = origins[list]?.[Number(number)];
    return origin ? `${name}:${origin.document.lineOf([list, origin.number, ...more])}` : name;
  };
  if (Object.keys(whole).length === 0)
    throw new OperatorError(
      `${name} describes nothing`,
      'That there are to be no targets is described by: targets: []',
    );
  const twice = repetitionIn(whole);
  if (twice)
    throw new OperatorError(
      `${where(twice)}: ${twice.join('.')} is described a second time`,
      'All that is said of an object stands in one place.',
    );
  return { given: (await resolved(whole, secret)) as Raw, where };
}

/** A value in which each place of a secret is replaced by the secret. */
async function resolved(value: unknown, secret: (place: SecretPlace) => Promise<string>): Promise<unknown> {
  if (Array.isArray(value)) return Promise.all(value.map((one) => resolved(one, secret)));
  if (!isRaw(value)) return value;
  const entries = Object.entries(value).map(async ([key, inner]) => {
    const place = isSecret(key) && isRaw(inner) ? (inner as unknown as SecretPlace) : undefined;
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
