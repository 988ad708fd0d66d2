/** TransportIDs of iSCSI (SPC-4 7.6.4.6): which initiator, or which of its ports. */

import { counting, decode, encode, record, u8, u16 } from '../wire/layout.ts';
import { invalidParameter } from './sense.ts';

/** Text follows, null-terminated and padded to a multiple of four. */
const header = record(4, { kind: u8(0), length: counting(u16(2)) });
/** FORMAT CODE and iSCSI's PROTOCOL IDENTIFIER: the name of an initiator; its name, `,i,0x` and ISID, which is the name of a port. */
const kinds = { initiator: 0x05, port: 0x45 } as const;
/** SPC-4 7.6.4.6: ADDITIONAL LENGTH is at least 20. */
const textBytesMin = 20;

/** @param initiator SCSI initiator port name, or an initiator's bare name */
export function encodeTransportId(initiator: string): Uint8Array {
  const text = Buffer.from(initiator);
  const kind = initiator.includes(',i,0x') ? kinds.port : kinds.initiator;
  const padding = Math.max(textBytesMin, (text.length + 4) & ~3) - text.length;
  return encode(header, { kind }, text, new Uint8Array(padding));
}

/**
 * The initiators that a list of TransportIDs names.
 * @param at where the list stands in the parameter list, for the field pointer
 * @throws CheckCondition INVALID FIELD IN PARAMETER LIST
 */
export function decodeTransportIds(list: Buffer, at: number): string[] {
  const initiators: string[] = [];
  for (let from = 0; from < list.length; ) {
    if (list.length < from + header.length) throw invalidParameter(header.fields.kind, at + from);
    const { kind, length } = decode(header, list, from);
    const start = from + header.length;
    const end = start + length;
    if (end > list.length || length === 0) throw invalidParameter(header.fields.length, at + from);
    const text = withoutPadding(list.toString('utf8', start, end)).toLowerCase();
    const isPort = /^[^\0,]+,i,0x[0-9a-f]{12}$/.test(text);
    if (kind === kinds.port ? !isPort : kind !== kinds.initiator || !/^[^\0,]+$/.test(text))
      throw invalidParameter(header.fields.kind, at + from);
    initiators.push(text);
    from = end;
  }
  return initiators;
}

function withoutPadding(text: string): string {
  let end = text.length;
  while (text[end - 1] === '\0') end -= 1;
  return text.slice(0, end);
}
