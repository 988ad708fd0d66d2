/** pscsi: a SCSI device of this machine, passed through: initiators talk to the device itself. */

import { closeSync, constants, openSync, readdirSync, realpathSync } from 'node:fs';
import { types } from '../attribute.ts';
import { OperatorError, reasonOf, systemErrorCode } from '../errors.ts';
import { canSendScsi, sendScsi } from '../system/scsi-generic.ts';
import { systemError } from '../system/system-error.ts';
import {
  bit,
  bits,
  decode,
  encode,
  type Fields,
  type Layout,
  record,
  u8,
  u32,
  u64,
  type Values,
} from '../wire/layout.ts';
import type { Backstore, PassThroughAnswer, Volume } from './backstore.ts';

/** The time that a command may take. */
const commandMs = 60_000;
/** The bytes of one READ or WRITE of our own. */
const transferBytesMax = 256 * 1024;
const none = new Uint8Array();

/** A SCSI device of this machine. */
export const pscsi: Backstore = {
  name: 'pscsi',
  plugin: 'pscsi',
  doc: 'A SCSI device of this machine, whose own answers initiators get.',
  details: [
    'Commands go to the device as they come: tapes, changers and optical drives work, and nothing is emulated. For a disk the kind block is better.',
    'A name below /dev/disk/by-id stays the same when disks are plugged in another order. H:C:T:L, as lsscsi shows it, does not, nor does /dev/sdX.',
  ],
  passesThrough: true,
  lioAttributes: ['alua_support', 'emulate_pr', 'pgr_support'],
  example: 'ps0 /dev/sg0',
  parameters: [
    {
      name: 'dev',
      doc: 'The device: /dev/sgN, /dev/sdX, or H:C:T:L as lsscsi shows it.',
      type: types.string,
      required: true,
      kind: 'block-device',
    },
  ],
  keys: { dev: { type: 'string', required: true } },

  async settle(create, others) {
    const dev = String(create['dev']);
    const path = devicePath(dev);
    const taken = [...others].find(([, config]) => devicePath(String(config['dev'])) === path);
    if (taken)
      throw new OperatorError(
        `Cannot configure StorageObject because device ${dev} is already in use`,
        `pscsi ${taken[0]} has it.`,
      );
    return { config: { dev }, notes: [], made: false };
  },

  async open(config) {
    const path = devicePath(String(config['dev']));
    if (!canSendScsi()) throw new OperatorError('SCSI devices need the optional package koffi, and Linux');
    const fd = openDevice(path);
    try {
      return await scsiVolume(fd);
    } catch (error) {
      closeSync(fd);
      throw error instanceof OperatorError ? error : new OperatorError(`${path} is no SCSI disk: ${reasonOf(error)}`);
    }
  },

  async resize({ dev }) {
    throw new OperatorError(
      `The size of ${dev} is its own, and it tells initiators itself.`,
      'Change it there, and let them look again: iscsiadm -m session --rescan',
    );
  },

  summary: (config) => String(config['dev']),
  device: (config) => String(config['dev']),
  created: (name, config) => `Created pscsi storage object ${name} using ${config['dev']}`,
  attributeDefaults: (_config, volume) => ({
    ...(volume && { block_size: volume.logicalBlockSize, hw_block_size: volume.logicalBlockSize }),
    hw_max_sectors: Math.floor(transferBytesMax / (volume?.logicalBlockSize ?? 512)),
    max_write_same_len: 0,
    alua_support: 0,
    // The device itself says whether it has COMPARE AND WRITE.
    emulate_caw: 0,
    emulate_3pc: 0,
  }),
};

/** The path of a device. @throws OperatorError in targetcli's words */
function devicePath(dev: string): string {
  if (/^\/dev\/(sg|sd|sr|st)/.test(dev)) return dev;
  if (/^\d+:\d+:\d+:\d+$/.test(dev)) {
    const [generic] = namesIn(`/sys/bus/scsi/devices/${dev}/scsi_generic`);
    if (generic !== undefined) return `/dev/${generic}`;
    throw new OperatorError(`Cannot find SCSI device ${dev}`, devicesHere());
  }
  try {
    const real = realpathSync(dev);
    if (real !== dev) return devicePath(real);
  } catch {
    // A device that cannot be looked at is refused below.
  }
  throw new OperatorError(
    `Cannot find SCSI device by path, and dev parameter not in H:C:T:L format: ${dev}`,
    devicesHere(),
  );
}

function devicesHere(): string {
  const found = namesIn('/sys/class/scsi_generic').map((name) => `/dev/${name}`);
  return found.length > 0 ? `SCSI devices here: ${found.join(', ')}` : 'This machine has no SCSI devices.';
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function openDevice(path: string): number {
  try {
    // O_EXCL keeps a disk from being mounted; without O_NONBLOCK, sg would wait until another holder ends.
    return openSync(path, constants.O_RDWR | constants.O_NONBLOCK | constants.O_EXCL);
  } catch (error) {
    const code = systemErrorCode(error);
    if (code === 'EBUSY')
      throw new OperatorError(
        `Cannot configure StorageObject because device ${path} is already in use`,
        `See who has it: lsblk, fuser ${path}`,
      );
    throw new OperatorError(`Could not open ${path}`, code === 'ENOENT' ? devicesHere() : `${reasonOf(error)}.`);
  }
}

const code = u8(0);
const command =
  <F extends Fields>(operationCode: number, layout: Layout<F>, always: Partial<Values<NoInfer<F>>> = {}) =>
  (values: Partial<Values<NoInfer<F>>>): Uint8Array => {
    const cdb = encode(layout, { ...always, ...values });
    code.set(cdb, 0, operationCode);
    return cdb;
  };

const range16 = record(16, { lba: u64(2), blocks: u32(10) });

/** The commands that this target itself sends to a device (SBC-3 5.13, 5.35, 5.26, 5.16; SPC-4 6.13). */
const commands = {
  testUnitReady: command(0x00, record(6, {})),
  read: command(0x88, range16),
  write: command(0x8a, range16),
  synchronizeCache: command(0x35, record(10, {})),
  readCapacity: command(0x9e, record(16, { serviceAction: bits(1, 0x1f), allocation: u32(10) }), {
    serviceAction: 0x10,
  }),
  modeSense: command(0x1a, record(6, { dbd: bit(1, 0x08), page: bits(2, 0x3f), allocation: u8(4) }), {
    dbd: true,
    page: 0x3f,
  }),
};
const capacity = record(12, { lastBlock: u64(0), blockSize: u32(8) });
const modeHeader = record(4, { writeProtected: bit(2, 0x80) });

/** Opens a device as a volume. @throws OperatorError when the device does not say how large it is */
async function scsiVolume(fd: number): Promise<Volume> {
  const send = (cdb: Uint8Array, dataOut: Uint8Array, dataInMax: number): Promise<PassThroughAnswer> =>
    sendScsi(fd, cdb, dataOut, dataInMax, commandMs);
  // A device that was just found has unit attentions first: ask until they are over (SAM-5 5.14).
  for (let i = 0; i < 8 && (await send(commands.testUnitReady({}), none, 0)).status !== 0; i += 1);
  const asked = await send(commands.readCapacity({ allocation: 32 }), none, 32);
  if (asked.status !== 0 || asked.dataIn.length < capacity.length)
    throw new OperatorError('it does not say how large it is');
  const { lastBlock, blockSize } = decode(capacity, asked.dataIn);
  const size = (lastBlock + 1) * blockSize;
  const modes = await send(commands.modeSense({ allocation: modeHeader.length }), none, modeHeader.length);
  const isKnown = modes.status === 0 && modes.dataIn.length >= modeHeader.length;
  const readOnly = isKnown && decode(modeHeader, modes.dataIn).writeProtected;
  return new ScsiVolume(fd, { size, blockSize, readOnly }, send);
}

class ScsiVolume implements Volume {
  readonly size: number;
  readonly logicalBlockSize: number;
  readonly physicalBlockSize: number;
  readonly readOnly: boolean;
  readonly discardGranularity = 0;
  readonly rotational = false;
  readonly #fd: number;
  readonly #send: NonNullable<Volume['passThrough']>;
  readonly #running = new Set<Promise<unknown>>();
  #closed = false;

  constructor(
    fd: number,
    { size, blockSize, readOnly }: { size: number; blockSize: number; readOnly: boolean },
    send: NonNullable<Volume['passThrough']>,
  ) {
    this.#fd = fd;
    this.#send = send;
    this.size = size;
    this.logicalBlockSize = blockSize;
    this.physicalBlockSize = blockSize;
    this.readOnly = readOnly;
  }

  async passThrough(cdb: Uint8Array, dataOut: Uint8Array, dataInMax: number): Promise<PassThroughAnswer> {
    if (this.#closed) throw systemError('EBADF', 'SG_IO');
    const running = this.#send(cdb, dataOut, dataInMax);
    this.#running.add(running);
    try {
      return await running;
    } finally {
      this.#running.delete(running);
    }
  }

  async read(into: Uint8Array, position: number): Promise<void> {
    for (const [offset, length] of this.#pieces('read', position, into.length)) {
      const cdb = commands.read(this.#blocks(position + offset, length));
      const { dataIn } = await this.#good(cdb, none, length);
      if (dataIn.length < length) throw systemError('EIO', 'read');
      into.set(dataIn, offset);
    }
  }

  async write(from: Uint8Array, position: number, durable: boolean): Promise<void> {
    for (const [offset, length] of this.#pieces('write', position, from.length)) {
      const cdb = commands.write(this.#blocks(position + offset, length));
      await this.#good(cdb, from.subarray(offset, offset + length), 0);
    }
    if (durable) await this.flush();
  }

  #blocks(position: number, length: number): { lba: number; blocks: number } {
    return { lba: position / this.logicalBlockSize, blocks: length / this.logicalBlockSize };
  }

  async flush(): Promise<void> {
    await this.#good(commands.synchronizeCache({}), none, 0);
  }

  async close(): Promise<void> {
    if (this.#closed) throw systemError('EBADF', 'close');
    this.#closed = true;
    await Promise.allSettled(this.#running);
    closeSync(this.#fd);
  }

  *#pieces(call: string, position: number, length: number): Generator<readonly [offset: number, length: number]> {
    if (this.#closed) throw systemError('EBADF', call);
    if (position < 0 || position + length > this.size) throw systemError('ERANGE', call);
    for (let done = 0; done < length; done += transferBytesMax) yield [done, Math.min(transferBytesMax, length - done)];
  }

  async #good(cdb: Uint8Array, dataOut: Uint8Array, dataInMax: number): Promise<PassThroughAnswer> {
    const answer = await this.passThrough(cdb, dataOut, dataInMax);
    if (answer.status !== 0) throw systemError('EIO', 'SG_IO');
    return answer;
  }
}
