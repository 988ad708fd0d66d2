/**
 * TransportIDs of iSCSI (SPC-4 7.6.4.6), protocol 5:
 *
 *   0      format (2 bits), protocol identifier     00b: initiator name; 01b: name ",i,0x" ISID
 *   2-3    additional length
 *   4-     text, null-terminated, padded to a multiple of four
 */

import { invalidParameter } from './sense.ts';

const iscsi = 0x05;
const withIsid = 0x40;
const headerBytes = 4;
/** SPC-4 7.6.4.6: ADDITIONAL LENGTH is at least 20. */
const textBytesMin = 20;

/** @param initiator SCSI initiator port name, or an initiator's bare name */
export function encodeTransportId(initiator: string): Uint8Array {
  const text = Buffer.from(initiator);
  const bytes = Buffer.alloc(headerBytes + Math.max(textBytesMin, (text.length + 4) & ~3));
  bytes[0] = iscsi | (initiator.includes(',i,0x') ? withIsid : 0);
  bytes.writeUInt16BE(bytes.length - headerBytes, 2);
  text.copy(bytes, headerBytes);
  return bytes;
}

/**
 * The initiators that a list of TransportIDs names.
 * @param at where the list stands in the parameter list, for the field pointer
 * @throws CheckCondition INVALID FIELD IN PARAMETER LIST
 */
export function decodeTransportIds(list: Buffer, at: number): string[] {
  const initiators: string[] = [];
  for (let from = 0; from < list.length; ) {
    if (list.length < from + headerBytes) throw invalidParameter(at + from);
    const format = list[from]!;
    const end = from + headerBytes + list.readUInt16BE(from + 2);
    if (end > list.length || end === from + headerBytes) throw invalidParameter(at + from + 2);
    const text = withoutPadding(list.toString('utf8', from + headerBytes, end)).toLowerCase();
    const isPort = /^[^\0,]+,i,0x[0-9a-f]{12}$/.test(text);
    if (format === (iscsi | withIsid) ? !isPort : format !== iscsi || !/^[^\0,]+$/.test(text))
      throw invalidParameter(at + from);
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
