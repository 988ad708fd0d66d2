/** INQUIRY and the standard data, byte for byte as LIO gives it (SPC-4 6.6). The VPD pages are in vpd-page.ts. */

import { bit, bits, counting, encode, octets, record, text, u8, u16 } from '../wire/layout.ts';
import { accessTypes } from './alua.ts';
import { diskAttributes } from './attributes.ts';
import { productOf } from './designator.ts';
import type { LogicalUnitView, StorageObject } from './logical-unit.ts';
import { type Cdb, opcode } from './opcode.ts';
import { allocated } from './parameter-data.ts';
import { invalidCdb } from './sense.ts';
import type { Completion, Task } from './task.ts';
import { hasTextIdentity } from './text-identity.ts';
import { vpdPage, vpdPages } from './vpd-page.ts';

/** PERIPHERAL QUALIFIER 011b, DEVICE TYPE 1Fh: no logical unit can be here (SPC-4 6.6.2). */
const nothingHere = 0x7f;

const cdb = { evpd: bit(1, 0x01), page: u8(2), allocation: u16(3) };

/** The row of INQUIRY. */
export const inquiry = opcode({
  code: 0x12,
  name: 'INQUIRY',
  spec: 'SPC-4 6.6',
  cdb,
  medium: 'none',
  whenReserved: 'always',
  ignoresUnitAttention: true,
  duringMediumOperation: true,
  runsIn: 'any',
  absent: (_task, { evpd, page, allocation }) => {
    if (evpd || page !== 0) throw invalidCdb(evpd ? cdb.evpd : cdb.page);
    return allocated(standardData(nothingHere, undefined), allocation);
  },
  execute: answer,
});

function answer(lu: StorageObject, { evpd, page, allocation }: Cdb<typeof cdb>, { unit }: Task): Completion {
  if (!evpd && page !== 0) throw invalidCdb(cdb.page);
  const data = evpd ? vpdPage(page, lu, unit) : standardData(0, lu, unit);
  if (!data) throw invalidCdb(cdb.page);
  return allocated(data, allocation);
}

/** SPC-4 6.6.2 */
const standard = record(96, {
  peripheral: u8(0),
  removable: bit(1, 0x80), // RMB
  version: u8(2),
  responseDataFormat: bits(3, 0x0f),
  additionalLength: counting(u8(4)),
  sccs: bit(5, 0x80),
  tpgs: bits(5, 0x30),
  thirdPartyCopy: bit(5, 0x08), // 3PC
  multiPort: bit(6, 0x10), // MULTIP
  commandQueuing: bit(7, 0x02), // CMDQUE
  vendor: text(8, 8),
  product: text(16, 16),
  revision: text(32, 4),
  versions: octets(58, 16),
});
const spc4 = 0x06;
const responseDataFormat = 2;
/** VERSION DESCRIPTORS (SPC-4 6.6.2): standards that every logical unit claims, and those of transports by protocol identifier. */
const claimed = { sam5: 0x00a0, spc4: 0x0460, sbc3: 0x04c0 } as const;
const transports: Readonly<Record<number, number>> = { 5: 0x0960 };
const version = record(2, { version: u16(0) });

function versions(unit: LogicalUnitView | undefined): Uint8Array {
  const transport = unit && transports[unit.port.protocol];
  const all = [claimed.sam5, ...(transport === undefined ? [] : [transport]), claimed.spc4, claimed.sbc3];
  return Buffer.concat(all.map((one) => encode(version, { version: one })));
}

function standardData(peripheral: number, lu: StorageObject | undefined, unit?: LogicalUnitView): Uint8Array {
  const values = lu?.attributes.values;
  return encode(standard, {
    peripheral,
    removable: values?.removable === 1,
    version: spc4,
    // Without AERC, which is obsolete since SPC-3, so that 0 does not say that there are no events.
    responseDataFormat,
    sccs: true,
    tpgs: lu && !hasTextIdentity(lu.attributes.values) ? accessTypes(lu, unit?.port.portGroup) : 0,
    thirdPartyCopy: values?.emulate_3pc === 1,
    multiPort: lu !== undefined && lu.exports.size > 1,
    commandQueuing: true,
    vendor: (values ?? defaults).vendor_id,
    product: lu ? productOf(lu) : '',
    revision: (values ?? defaults).revision,
    versions: versions(unit),
  });
}

const defaults = { vendor_id: diskAttributes.vendor_id.default, revision: diskAttributes.revision.default };

/** The standard data and all VPD pages, but for what they say of a port: to see what a setting changes. */
export const deviceData = (lu: StorageObject): Uint8Array =>
  Buffer.concat([standardData(0, lu), ...vpdPages.map(({ body }) => body(lu) ?? new Uint8Array(0))]);
