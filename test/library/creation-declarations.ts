/** Prints what storage objects are made of, and the verbs of each kind of place, from the records. */

import type { Parameter } from '../../src/attribute.ts';
import type { Backstore } from '../../src/backstore/backstore.ts';
import { backstores } from '../../src/backstore/index.ts';
import { operationTypes } from '../../src/saved/operations.ts';
import { comment, face, isName, pascal, printed } from './typescript.ts';

const valueType = ({ name, type }: Parameter) =>
  name === 'size' || type.name === 'size'
    ? 'number | string'
    : type.name === 'bool'
      ? 'boolean'
      : type.name === 'number'
        ? 'number'
        : 'string';

const creation = ({ name, doc, parameters }: Backstore) =>
  face(`What a ${name} is made of. ${doc}`, `Create${pascal(name)}`, [
    comment('What it is called.'),
    '  name: string;',
    ...parameters.flatMap((one) => [
      comment(`${one.doc}${one.default === undefined ? '' : ` ${one.default} when absent.`}`),
      `  ${one.name}${one.required ? '' : '?'}: ${valueType(one)};`,
    ]),
  ]);

/** src/library/creations.ts */
export const creations = (): string =>
  [printed('What the kinds of storage objects are made of'), ...backstores.map(creation)].join('\n');

/** src/library/verbs.ts */
export const verbs = (): string => {
  const places = [...new Set(operationTypes.map(({ at }) => at))].toSorted();
  const of = (place: string) =>
    operationTypes
      .filter((one) => one.at === place && one.verb !== 'fill')
      .map(({ verb }) => `'${verb}'`)
      .join(', ');
  const lines = places.map((place) => [place, of(place)] as const).filter(([, list]) => list !== '');
  return [
    printed('What can be done at each kind of place, and the kinds of backstore'),
    `export const verbs: Readonly<Record<string, readonly string[]>> = {\n${lines
      .map(([place, list]) => `  ${isName(place) ? place : `'${place}'`}: [${list}],\n`)
      .join('')}};\n`,
    `/** The kinds of backstore. */\nexport const backstoreNames = [${backstores.map(({ name }) => `'${name}'`).join(', ')}] as const;\n`,
  ].join('\n');
};
