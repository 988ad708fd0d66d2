/** PERSISTENT RESERVE IN: who is registered with a logical unit, and who holds it (SPC-4 6.15). */

import { bit, bits, counting, encode, hex, record, u16, u32 } from '../wire/layout.ts';
import type { StorageObject } from './logical-unit.ts';
import { type OpcodeRow, opcode } from './opcode.ts';
import { allocated, conflict } from './parameter-data.ts';
import * as pr from './persistent-reservation.ts';
import { reservations } from './reservation-conflict.ts';
import { asShared } from './shared-reservations.ts';
import { encodeTransportId } from './transport-id.ts';

/** Persistent reservations are offered. */
export const offersPersistent = (lu: StorageObject): boolean =>
  lu.attributes.values.emulate_pr === 1 && lu.attributes.values.pgr_support === 1;

const reserveIn = (serviceAction: number, name: string, clause: string, data: (lu: StorageObject) => Uint8Array) =>
  opcode({
    code: 0x5e,
    serviceAction,
    name: `PERSISTENT RESERVE IN ${name}`,
    spec: `SPC-4 ${clause}`,
    cdb: { allocation: u16(7) },
    answeredHere: true,
    medium: 'none',
    whenReserved: 'allowed',
    runsIn: 'standby',
    offered: offersPersistent,
    execute: (lu, cdb) => {
      const answer = () => (reservations.of(lu).reserved ? conflict : allocated(data(lu), cdb.allocation));
      return lu.shared ? asShared(lu, lu.shared, answer) : answer();
    },
  });

/** PRGENERATION and ADDITIONAL LENGTH in front of descriptors (SPC-4 6.15.2). */
const inHeader = record(8, { generation: u32(0), length: counting(u32(4)) });
/** RESERVATION KEY. */
export const keyBytes = 8;
const keyDescriptor = record(keyBytes, { key: hex(0, keyBytes) });

function readKeys(lu: StorageObject): Uint8Array {
  const { generation, registrations } = reservations.of(lu).persistent;
  return encode(inHeader, { generation }, ...registrations.map(({ key }) => encode(keyDescriptor, { key })));
}

const reservationDescriptor = record(16, { key: hex(0, keyBytes), scope: bits(13, 0xf0), type: bits(13, 0x0f) });

function readReservation(lu: StorageObject): Uint8Array {
  const { generation, reservation } = reservations.of(lu).persistent;
  if (!reservation) return encode(inHeader, { generation });
  const { holder, type } = reservation;
  return encode(inHeader, { generation }, encode(reservationDescriptor, { key: holder?.key ?? pr.noKey, type }));
}

const capabilities = record(8, {
  // This length counts all of the data, unlike those of the other service actions.
  length: counting(u16(0), 0),
  crh: bit(2, 0x10),
  sipC: bit(2, 0x08),
  atpC: bit(2, 0x04),
  ptplC: bit(2, 0x01),
  tmv: bit(3, 0x80),
  allowCommands: bits(3, 0x70),
  ptplA: bit(3, 0x01),
  wrExAr: bit(4, 0x80),
  exAcRo: bit(4, 0x40),
  wrExRo: bit(4, 0x20),
  exAc: bit(4, 0x08),
  wrEx: bit(4, 0x02),
  exAcAr: bit(5, 0x01),
});

/** The capabilities. Fields that the standard leaves open are as in LIO; there are all six types. */
function reportCapabilities(lu: StorageObject): Uint8Array {
  return encode(capabilities, {
    ...{ crh: true, sipC: true, atpC: true, ptplC: lu.keep !== undefined },
    ...{ tmv: true, allowCommands: 1, ptplA: reservations.of(lu).persistent.aptpl },
    ...{ wrExAr: true, exAcRo: true, wrExRo: true, exAc: true, wrEx: true, exAcAr: true },
  });
}

/** A full status descriptor (SPC-4 6.15.5); the TransportID follows. */
const fullStatus = record(24, {
  key: hex(0, keyBytes),
  allTargetPorts: bit(12, 0x02),
  holder: bit(12, 0x01),
  scope: bits(13, 0xf0),
  type: bits(13, 0x0f),
  relativePortId: u16(18),
  transportIdLength: counting(u32(20)),
});

function readFullStatus(lu: StorageObject): Uint8Array {
  const { persistent } = reservations.of(lu);
  const descriptors = persistent.registrations.map((registration) => {
    const { key, port, initiator } = registration;
    const holder = pr.holds(persistent, registration);
    const type = holder ? (persistent.reservation?.type ?? 0) : 0;
    const told = { key, allTargetPorts: port === null, holder, type, relativePortId: port ?? 0 };
    return encode(fullStatus, told, encodeTransportId(initiator));
  });
  return encode(inHeader, { generation: persistent.generation }, ...descriptors);
}

/** The service actions of PERSISTENT RESERVE IN. */
export const reservationReports: readonly OpcodeRow[] = [
  reserveIn(0x00, 'READ KEYS', '6.15.2', readKeys),
  reserveIn(0x01, 'READ RESERVATION', '6.15.3', readReservation),
  reserveIn(0x02, 'REPORT CAPABILITIES', '6.15.4', reportCapabilities),
  reserveIn(0x03, 'READ FULL STATUS', '6.15.5', readFullStatus),
];
