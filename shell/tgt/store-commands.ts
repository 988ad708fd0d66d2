/** Makes the commands of tgtadm for a store of a targets.conf, in tgt-admin's words and order. */

import { spawnSync } from 'node:child_process';
import { closeSync, constants, existsSync, openSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { identityOfDevice, systemErrorCode } from '../../src/client.ts';
import { quotedWord } from './command-words.ts';
import type { FileOptions } from './targets-file.ts';

/** A store, and the place of its unit. */
export interface StoreWords {
  readonly path: string;
  readonly isDirect: boolean;
  readonly lun: string;
  /** The options of the store itself, and those of its target for all of its stores. */
  readonly own: FileOptions;
  readonly ofTarget: FileOptions;
}

/** The parameters that a unit is given under their name in the file; once each. */
const single: readonly string[] = [
  ...['scsi_id', 'sense_format', 'removable', 'online', 'path', 'readonly'],
  ...['vendor_id', 'product_id', 'product_rev', 'scsi_sn'],
  ...['lbppbe', 'la_lba', 'optimal_xfer_gran', 'optimal_xfer_len'],
];
/** The options that may stand there many times. */
const repeated: readonly string[] = ['mode_page', 'params'];

/** A caching page without WCE. */
const noWriteCache = 'mode_page=8:0:18:0x10:0:0xff:0xff:0:0:0xff:0xff:0xff:0xff:0x80:0x14:0:0:0:0:0:0';

/** An option that stands there more than once, and may not; undefined: none. */
export function repeatedOption({ own, ofTarget }: StoreWords): string | undefined {
  const once = [...single, 'device-type', 'bs-type', 'bsopts', 'bsoflags', 'lun', 'write-cache'];
  const inStore = [...own].find(([name, values]) => values.length > 1 && !repeated.includes(name));
  return inStore?.[0] ?? once.find((name) => !own.has(name) && (ofTarget.get(name) ?? []).length > 1);
}

/** The commands. @param begin `tgtadm` with the driver @param tid of the target */
export function storeCommands(store: StoreWords, begin: string, tid: number): string[] {
  const { path, isDirect, lun, own, ofTarget } = store;
  const wordOf = (name: string) => own.get(name)?.[0] ?? ofTarget.get(name)?.[0];
  const option = (letters: string, value: string | undefined) => (value === undefined ? '' : `${letters} ${value}`);
  const device: Readonly<Record<string, string | undefined>> = isDirect ? identityOfDevice(path) : {};
  const create = [
    `${begin} --op new --mode logicalunit --tid ${tid} --lun ${lun} -b ${quotedWord(path)}`,
    option('--device-type', wordOf('device-type')),
    option('--bstype', wordOf('bs-type')),
    option('--bsopts', wordOf('bsopts')),
    option('--bsoflags', wordOf('bsoflags')),
    // The block size alone does not come from the target.
    option('--blocksize', own.get('block-size')?.[0]),
  ].join(' ');
  const update = `${begin} --op update --mode logicalunit --tid ${tid} --lun=${lun} --params`;
  const pages = [...(own.get('mode_page') ?? []), ...(ofTarget.get('mode_page') ?? [])];
  const params = [...(own.get('params') ?? []), ...(ofTarget.get('params') ?? [])];
  const cache = wordOf('write-cache') ?? '';
  const settings = single.flatMap((name) => {
    const value = wordOf(name) ?? device[name];
    return value === undefined ? [] : [`${update} ${name}=${quotedWord(value)}`];
  });
  return [
    create,
    ...(cache === 'off' ? [`${update} ${noWriteCache}`] : []),
    ...pages.map((page) => `${update} mode_page=${quotedWord(page)}`),
    ...params.map((param) => `${update} ${quotedWord(param)}`),
    ...settings,
    ...(cache === 'on' || cache === '' ? [`# Write cache is enabled (default) for lun ${lun}.`] : []),
    ...(['on', 'off', ''].includes(cache)
      ? []
      : [`# WARNING! Unknown value (${cache}) to write-cache! Accepted values are "on" and "off".`]),
  ];
}

/** The users of a file or device, in tgt-admin's comments. */
export function usersOf(path: string, environment: NodeJS.ProcessEnv): { readonly inUse: boolean; lines: string[] } {
  if (!existsSync(path)) return { inUse: false, lines: [] };
  try {
    // A device that is mounted, swapped to or part of an array cannot be opened with O_EXCL.
    closeSync(openSync(path, constants.O_RDONLY | constants.O_EXCL));
  } catch (error) {
    if (systemErrorCode(error) === 'EBUSY')
      return { inUse: true, lines: [`# Device ${path} is used by the system (mounted, used by swap?).`] };
  }
  const folders = (environment['PATH'] ?? '').split(delimiter);
  if (!folders.some((folder) => existsSync(join(folder, 'lsof'))))
    return {
      inUse: false,
      lines: ["# Command 'lsof' is not in your path.", "# Can't reliably check if device is not in use."],
    };
  if (spawnSync('lsof', [path], { stdio: 'ignore', env: environment }).status !== 0) return { inUse: false, lines: [] };
  return {
    inUse: true,
    lines: [`# Device ${path} is used (already tgtd target?).`, `# Run 'lsof ${path}' to see the details.`],
  };
}
