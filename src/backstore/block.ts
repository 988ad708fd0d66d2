/** block: a volume on a disk, a partition or any other Linux block device, which nobody else may use meanwhile. */

import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { types } from '../attribute.ts';
import { OperatorError } from '../errors.ts';
import { type Backstore, directParameter, printSize, wwnParameter } from './backstore.ts';
import { blockAttributes, blockDevice, inUse, openBlockVolume, sizeOfDevice } from './block-device.ts';

/** A block device of this machine. */
export const block: Backstore = {
  name: 'block',
  plugin: 'block',
  doc: 'A volume on a block device: a disk, a partition, an LVM volume …',
  details: ['The device is opened for this program alone; one that is mounted or in use is refused.'],
  example: 'disk0 /dev/sdb',
  parameters: [
    { name: 'dev', doc: 'The device.', type: types.string, required: true, kind: 'block-device' },
    {
      name: 'readonly',
      doc: 'Serve it read-only; when absent, as the device itself is.',
      type: types.bool,
      required: false,
      kind: 'plain',
    },
    wwnParameter,
    directParameter,
  ],
  keys: {
    dev: { type: 'string', required: true },
    readonly: { type: 'boolean' },
    write_back: { type: 'boolean' },
    direct: { type: 'boolean', ours: true },
  },

  async settle(create, others) {
    const dev = resolve(String(create['dev']));
    const device = blockDevice(dev);
    if (!device) throw notABlockDevice(dev);
    for (const [name, other] of others)
      if (blockDevice(String(other['dev']))?.folder === device.folder)
        throw inUse(dev, `It is storage object ${name}.`);
    const readonly = typeof create['readonly'] === 'boolean' ? create['readonly'] : device.readOnly;
    const direct = create['direct'] === true;
    const config = { dev, readonly, write_back: false, ...(direct && { direct }) };
    await openBlockVolume(dev, readonly, direct).close();
    return { config, notes: [], made: false };
  },

  async resize(config, asked) {
    return { config, size: sizeOfDevice(String(config['dev']), asked) };
  },

  async open(config) {
    return openBlockVolume(String(config['dev']), config['readonly'] === true, config['direct'] === true);
  },

  summary(config, served, writeCache) {
    const readOnly = config['readonly'] === true ? 'ro ' : '';
    const size = served ?? blockDevice(String(config['dev']))?.size ?? 0;
    return `${config['dev']} (${printSize(size)}) ${readOnly}${writeCache ? 'write-back' : 'write-thru'}${config['direct'] === true ? ' direct' : ''}`;
  },
  device: (config) => String(config['dev']),
  created: (name, config) => `Created block storage object ${name} using ${config['dev']}.`,

  // LIO's block hands writes to the device and so says that it has no cache unless the device has one; here the page
  // cache is in between, and it is declared to initiators wherever the device itself has a volatile cache.
  attributeDefaults: (config) => ({
    ...blockAttributes(config),
    emulate_write_cache: blockDevice(String(config['dev']))?.volatileCache ? 1 : 0,
  }),
};

function notABlockDevice(dev: string): OperatorError {
  if (!existsSync(dev)) return new OperatorError(`Could not open ${dev}`, 'There is no such device: lsblk lists them.');
  return new OperatorError(`Device ${dev} is not a TYPE_DISK block device`, 'For a file: /backstores/fileio create');
}
