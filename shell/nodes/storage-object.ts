/** A storage object: what it is, its attributes, its ALUA groups. */

import { type StorageObject, types } from '../../src/index.ts';
import { attributesGroup } from '../configuration-groups.ts';
import { child, commandOf, type NodeType, optional } from '../node.ts';
import { alua } from './alua.ts';
import { saveConfiguration } from './configuration.ts';
import { infoCommand } from './info.ts';

export const storageObject: NodeType<StorageObject> = {
  doc: 'A storage object: a volume with a SCSI identity.',
  summary({ backstore, config, volume, attributes, exported, missing }) {
    const about = backstore.summary(config, volume, attributes.values.emulate_write_cache === 1);
    if (missing !== undefined) return { text: `${about} missing`, healthy: false };
    return { text: `${about} ${exported ? 'activated' : 'deactivated'}`, healthy: true };
  },
  children: (object) => [child('alua', alua, object)],
  groups: (object) => [attributesGroup('attribute', object.path, object.attributes)],
  commands: {
    info: infoCommand<StorageObject>(
      'Shows its name, size, serial number and so on.',
      ({ backstore, name, wwn, config, missing }) => ({
        ...config,
        name,
        plugin: backstore.plugin,
        ...(!backstore.passesThrough && { wwn }),
        ...(missing !== undefined && { missing }),
      }),
    ),
    version: commandOf<StorageObject>()({
      doc: 'Shows which kind of backstore serves it.',
      parameters: [],
      examples: [{ line: 'version', does: 'Shows the kind and its version.' }],
      run: ({ backstore }, { info }) => info(`Backstore plugin ${backstore.plugin} v5.0`),
      json: ({ backstore }) => ({ plugin: backstore.plugin }),
    }),
    saveconfig: commandOf<StorageObject>()({
      doc: 'Saves this storage object, and the first target that exports it, into a file; the rest of the file stays.',
      parameters: [optional('savefile', types.string, 'The file; saveconfig.json when absent.', { kind: 'file' })],
      examples: [{ line: 'saveconfig', does: 'Saves it.' }],
      async run(only, context, { savefile }) {
        const { backstore, name } = only;
        const { path } = await saveConfiguration(context, savefile, { say: false, only });
        context.info(`Storage Object '${backstore.plugin}:${name}' config saved to ${path}.`);
      },
    }),
  },
};
