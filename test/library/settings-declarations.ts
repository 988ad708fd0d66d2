/** Prints the types of all settings from their records. */

import type { Attribute, AttributeTable } from '../../src/attribute.ts';
import { fabrics } from '../../src/fabric/index.ts';
import { aluaGroupTable } from '../../src/scsi/alua-group.ts';
import { diskAttributes } from '../../src/scsi/attributes.ts';
import { authTable } from '../../src/target/auth.ts';
import type { Fabric } from '../../src/target/fabric.ts';
import { lunAttributes } from '../../src/target/fields.ts';
import { comment, face, pascal, printed } from './typescript.ts';

const literal = (value: number | string) => (typeof value === 'number' ? String(value) : `'${value}'`);

/** The values of a setting. */
export function typeOf({ saved, only, type, min, max, refuse }: Attribute): string {
  if (only) return only.map(literal).join(' | ');
  if (type.words && !refuse) return type.words.map(literal).join(' | ');
  if (saved === 'string') return 'string';
  return min === 0 && max === 1 ? '0 | 1' : 'number';
}

/** The sentence about a setting, with its default. */
const docOf = ({ doc, default: usual, readOnly }: Attribute) =>
  usual === '' || readOnly ? doc : `${doc} Default: ${usual}.`;

const attributes = (doc: string, name: string, table: AttributeTable) =>
  face(
    doc,
    name,
    Object.entries(table).flatMap(([key, one]) => [
      comment(docOf(one)),
      `  ${one.readOnly ? 'readonly ' : ''}${key}: ${typeOf(one)};`,
    ]),
  );

/** The settings of a fabric, by the ends of their types' names. */
export const tablesOf = ({ tpgAttributes, tpgParameters, aclAttributes }: Fabric) => ({
  TpgAttributes: tpgAttributes,
  TpgParameters: tpgParameters,
  AclAttributes: aclAttributes,
});

const words = (all: Readonly<Record<string, { doc: string }>>) =>
  Object.entries(all).flatMap(([key, { doc }]) => [comment(doc), `  ${key}: string;`]);

const accounts = { accounts: { doc: 'Accounts of the fabric that are taken besides, separated by commas.' } };

/** src/library/settings.ts */
export const settings = (): string =>
  [
    printed('Every setting that there is, by its group'),
    attributes('Attributes of a storage object.', 'StorageObjectAttributes', diskAttributes),
    attributes('Settings of an ALUA target port group.', 'AluaGroupSettings', aluaGroupTable),
    attributes('Attributes of a LUN.', 'LunAttributes', lunAttributes),
    ...fabrics.flatMap((fabric) =>
      Object.entries(tablesOf(fabric)).map(([what, table]) =>
        attributes(
          `${what.replace(/(?<=[a-z])(?=[A-Z])/g, ' ')} of ${fabric.name}.`,
          `${pascal(fabric.name)}${what}`,
          table,
        ),
      ),
    ),
    face('CHAP words.', 'Chap', words(authTable)),
    face('CHAP words, and accounts besides.', 'ChapWithAccounts extends Chap', words(accounts)),
    face('CHAP words of discovery.', 'DiscoveryChap extends ChapWithAccounts', [
      comment('Whether discovery asks for them.'),
      '  enable: boolean;',
    ]),
    face(
      'The settings of each fabric.',
      'FabricSettings',
      fabrics.map(
        (fabric) =>
          `  ${fabric.name}: {\n${Object.keys(tablesOf(fabric))
            .map((what) => `    ${what[0]!.toLowerCase()}${what.slice(1)}: ${pascal(fabric.name)}${what};\n`)
            .join('')}  };`,
      ),
    ),
    '/** The fabrics there are. */\nexport type FabricName = keyof FabricSettings;\n',
  ].join('\n');
