/**
 * The identity of a logical unit by texts, as tgtd gives it: initiators that knew a disk of tgtd know it again. VPD page 80h
 * is `scsi_sn`, 36 bytes; page 83h has `scsi_id` as a T10 designator, the number of target and LUN as a locally assigned
 * NAA, and an NAA 6 of the hexadecimal digits in `scsi_id` (SPC-4 7.8.6, 7.8.18).
 */

import { encode, hex, record } from '../wire/layout.ts';
import { unitDesignator } from './designator.ts';
import { textBytesMax, textNaa } from './text-naa.ts';

/** The attributes that say it. */
export interface TextIdentity {
  readonly scsi_id: string;
  readonly scsi_sn: string;
  readonly scsi_local_id: string;
}

/** Whether page 83h is that of tgtd. */
export const hasTextIdentity = ({ scsi_id, scsi_local_id }: TextIdentity): boolean =>
  scsi_id !== '' || scsi_local_id !== '';

/** VPD page 80h after its header. */
export const textSerial = ({ scsi_sn }: TextIdentity): Uint8Array =>
  Buffer.from(scsi_sn.padStart(textBytesMax), 'latin1');

const localNaa = record(8, { naa: hex(0, 8) });
const vendorNaa = record(16, { naa: hex(0, 16) });

/** VPD page 83h after its header. */
export function textDesignators({ scsi_id, scsi_local_id }: TextIdentity): Uint8Array {
  const id = Buffer.alloc(textBytesMax);
  id.write(scsi_id, 'latin1');
  return Buffer.concat([
    unitDesignator('ascii', 't10VendorId', id),
    unitDesignator('binary', 'naa', encode(localNaa, { naa: `3${scsi_local_id.padStart(16, '0').slice(1)}` })),
    unitDesignator('binary', 'naa', encode(vendorNaa, { naa: textNaa(scsi_id) })),
  ]);
}

/** The identity that tgtd gives a LUN by default. */
export function textIdentityOf(target: number, lun: number): TextIdentity {
  const hex = (value: number, digits: number) => value.toString(16).padStart(digits, '0');
  return {
    scsi_id: `IET     ${hex(((target << 16) | lun) >>> 0, 8)}`,
    scsi_sn: `beaf${target}${lun}`,
    scsi_local_id: hex(target, 8) + hex(lun, 8),
  };
}
