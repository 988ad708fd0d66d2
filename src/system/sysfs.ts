/** Block devices as the kernel shows them in sysfs (its Documentation/ABI/stable/sysfs-block): a folder for each, with a file for each fact. */

import { readFileSync, realpathSync } from 'node:fs';

/** The unit of sizes in sysfs and in the device mapper, whatever a device's block size. */
export const sectorBytes = 512;

/** The folder of the block device with this number, as stat(2) gives it; undefined where there is none. */
export function deviceFolder(number: number): string | undefined {
  // makedev(3): 12 bits of the major and 8 of the minor number, then the rest of the minor number.
  const major = Math.floor(number / 256) % 4096;
  const minor = (number % 256) + Math.floor(number / 2 ** 20) * 256;
  try {
    return realpathSync(`/sys/dev/block/${major}:${minor}`);
  } catch {
    return undefined;
  }
}

/** The number of the block device with this folder; undefined where it has gone. */
export function deviceNumber(folder: string): number | undefined {
  const text = deviceFact(folder, 'dev');
  return text === undefined ? undefined : numberOf(text);
}

/** The number of a device, as stat(2) gives it, from its text `MAJOR:MINOR`; NaN for any other text. */
export function numberOf(text: string): number {
  const [major = Number.NaN, minor = Number.NaN] = text.split(':').map(Number);
  // makedev(3), as above.
  return major * 256 + (minor % 256) + Math.floor(minor / 256) * 2 ** 20;
}

/** A fact of a device, or undefined where the kernel does not have it. @param name a path in the device's folder */
export function deviceFact(folder: string, name: string): string | undefined {
  try {
    return readFileSync(`${folder}/${name}`, 'latin1').trim();
  } catch {
    return undefined;
  }
}
