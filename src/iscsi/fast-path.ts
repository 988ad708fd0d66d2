/**
 * The fast path of SCSI commands answers, in one step, a READ, or a WRITE with its data, that has come as a whole PDU, has its turn, is
 * obstructed by nothing and finds its blocks at hand. Such a command stands neither in the command table nor in a task set, for nobody
 * else runs between its beginning and its end. All other commands are left to the general path (arrival.ts), which gives the same
 * answers.
 */

import type { Volume } from '../backstore/backstore.ts';
import type { StorageObject } from '../scsi/logical-unit.ts';
import { peripheralLun } from '../scsi/lun.ts';
import { countPlain, plainPosition, writePlain } from '../scsi/plain-access.ts';
import type { ReachedUnit } from '../target/reached-units.ts';
import type { Tally } from '../target/traffic.ts';
import { lentBytesMin, segmentBytesMax } from './limits.ts';
import type { Link } from './link.ts';
import { dataIn, encodePdu, header, lunHalves, noTag, scsiCommand, scsiResponse } from './pdu.ts';
import type { Session } from './session.ts';

/** The second byte of a READ, and of a WRITE that announces no more data, without the bits that tell untagged from SIMPLE. */
const flagsOf = (values: { read?: true; write?: true }): number =>
  encodePdu(scsiCommand, { final: true, ...values })[1]!;
const readFlags = flagsOf({ read: true });
const writeFlags = flagsOf({ write: true });
const simpleBit = 0x01;

/** The answers without their numbers: the one Data-In with status GOOD, and the SCSI Response with status GOOD. */
const onlyDataIn = encodePdu(dataIn, { final: true, hasStatus: true, targetTransferTag: noTag });
const goodResponse = encodePdu(scsiResponse, { final: true });

export class FastPath {
  readonly #connection: Link;
  readonly #session: Session;
  readonly #tally: Tally;
  readonly #reaches: ReadonlyMap<number, ReachedUnit>;
  /** Whether the medium was asked for the command at hand, and could not answer at once. The general path resets it. */
  tried = false;

  constructor(connection: Link, session: Session, tally: Tally) {
    this.#connection = connection;
    this.#session = session;
    this.#tally = tally;
    this.#reaches = session.units.knownThrough(connection.ends.portal);
  }

  /**
   * Takes a SCSI Command that is not immediate: its header, and its data from `dataStart` on.
   * @returns whether the command is answered; if not, nothing has happened, and the general path takes it
   */
  take(bytes: Uint8Array, start: number, dataStart: number, dataLength: number): boolean {
    const flags = bytes[start + 1]! & ~simpleBit;
    const isRead = flags === readFlags;
    if (!isRead && flags !== writeFlags) return false;
    const { fields } = scsiCommand;
    const session = this.#session;
    const { output, sender, ends, parameters, now } = this.#connection;
    const { MaxBurstLength, ImmediateData, FirstBurstLength } = session.parameters;
    const length = fields.expectedDataTransferLength.get(bytes, start);
    // RFC 7143 11.7.6, 13.11, 13.14: one Data-In can carry all of the data, or the command has brought all of it.
    const fits = isRead
      ? dataLength === 0 &&
        length <= Math.min(segmentBytesMax, parameters.MaxRecvDataSegmentLength & ~3, MaxBurstLength)
      : dataLength === length && ImmediateData && length <= FirstBurstLength;
    const lun = peripheralLun(lunHalves.high.get(bytes, start), lunHalves.low.get(bytes, start));
    if (!fits || lun < 0 || header.totalAhsLength.get(bytes, start) !== 0 || output.blocked) return false;
    const tag = fields.initiatorTaskTag.get(bytes, start);
    if (!session.isNext(fields.cmdSn.get(bytes, start)) || tag === noTag || session.commands.get(tag)) return false;
    const reach = this.#reaches.get(lun) ?? session.units.reach(lun, ends.portal);
    if (!reach) return false;

    const kind = isRead ? 'read' : 'write';
    const position = plainPosition(kind, session.nexus!, reach.view, bytes, start + fields.cdb.at, length);
    if (position < 0) return false;
    const lu = reach.view.storageObject;
    const plain = lu.plain!;
    const at = isRead
      ? this.#read(plain.volume!, plain.lends, position, length)
      : this.#write(lu, position, bytes.subarray(dataStart, dataStart + length));
    if (at < 0) return false;
    countPlain(kind, plain, length);
    this.#tally.count(session.traffic, reach.traffic, true, isRead ? length : 0, isRead ? 0 : length, now);
    session.pass();
    header.initiatorTaskTag.set(output.bytes, at, tag);
    sender.stamp(output.bytes, at, true);
    sender.writer.end();
    return true;
  }

  /** Begins a Data-In with the blocks in it. @returns the start of the PDU; -1 when the blocks are not at hand */
  #read(volume: Volume, lends: boolean, position: number, length: number): number {
    const { output, sender } = this.#connection;
    const { writer } = sender;
    const passes = length >= lentBytesMin && length % 4 === 0 && lends && !writer.dataDigest && output.passes === true;
    // Where data goes straight to the socket, the status follows in a PDU of its own.
    if (passes && length >= (volume.straightBytesMin ?? Number.POSITIVE_INFINITY)) return -1;
    if (passes && volume.lend) {
      const at = writer.begin(onlyDataIn, length, true);
      if (output.lend?.(volume, position, length, writer.headerLength)) return at;
    }
    const at = writer.begin(onlyDataIn, length);
    const data = writer.dataStart;
    this.tried = volume.readNow?.(output.bytes.subarray(data, data + length), position) !== true;
    return this.tried ? -1 : at;
  }

  /** Writes the blocks, and begins the answer. @returns the start of the PDU; -1 when writing cannot be done at once */
  #write(lu: StorageObject, position: number, data: Uint8Array): number {
    this.tried = !writePlain(lu, data, position);
    return this.tried ? -1 : this.#connection.sender.writer.begin(goodResponse, 0);
  }
}
