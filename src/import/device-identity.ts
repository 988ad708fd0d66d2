/** The identity of a SCSI disk of this machine, as far as the kernel shows it (sysfs). */

import { readFileSync, realpathSync } from 'node:fs';
import { basename } from 'node:path';

/** Vendor, product, revision and serial number, by tgt's names for them. */
export type DeviceIdentity = Readonly<Partial<Record<'vendor_id' | 'product_id' | 'product_rev' | 'scsi_sn', string>>>;

/** The identity of a device. It is empty for a device that does not answer INQUIRY: a virtio disk's `vendor` is a number of PCI. */
export function identityOfDevice(path: string, sysfs = '/sys'): DeviceIdentity {
  const read = (name: string) => {
    try {
      return readFileSync(`${sysfs}/block/${basename(real(path))}/device/${name}`);
    } catch {
      return undefined;
    }
  };
  if (!read('scsi_level')) return {};
  const text = (name: string) => read(name)?.toString('latin1').trim();
  // The page's header is four bytes long (SPC-4 7.8.18).
  const serial = read('vpd_pg80')?.subarray(4).toString('latin1').replace(/\0/g, '').trim();
  const all = { vendor_id: text('vendor'), product_id: text('model'), product_rev: text('rev'), scsi_sn: serial };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value));
}

/** Follows links: a name in /dev/disk is a link to the device. */
function real(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
