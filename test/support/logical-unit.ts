/** A logical unit over a memory volume, and initiators that send it commands without a transport. */

import type { Backstore } from '../../src/backstore/backstore.ts';
import { fileio } from '../../src/backstore/fileio.ts';
import { admitTask, executeTask, retireTask } from '../../src/scsi/device-server.ts';
import { type LogicalUnitView, Nexus, StorageObject, type TargetPort } from '../../src/scsi/logical-unit.ts';
import { recordedAnew } from '../../src/scsi/lost-writes.ts';
import { establishNexus, loseNexus } from '../../src/scsi/nexus.ts';
import type { Sense } from '../../src/scsi/sense.ts';
import { type Completion, Task, type TaskRequest } from '../../src/scsi/task.ts';
import { clearUnitAttentions } from '../../src/scsi/unit-attention.ts';

import { type MemoryVolume, memoryVolume } from './memory-volume.ts';

/** The answer that an initiator gets to a command. */
export interface Answer {
  readonly status: number;
  readonly data: Buffer;
  /** `5/24/00`: sense key, additional code and qualifier; '' without sense data. */
  readonly sense: string;
  readonly senseData: Buffer;
}

export const port: TargetPort = {
  targetName: 'iqn.2026-01.com.example:scsi',
  portName: 'iqn.2026-01.com.example:scsi,t,0x0001',
  relativePortId: 1,
  protocol: 5,
  portGroup: 0,
};

/** fileio, but that INQUIRY has the name of the object, as LIO's recordings do. */
const backstore = (defaults: Record<string, number>): Backstore => ({
  ...fileio,
  attributeDefaults: () => ({ emulate_write_cache: 1, emulate_model_alias: 1, ...defaults }),
});

interface Options {
  readonly name?: string;
  readonly wwn?: string;
  readonly volume?: MemoryVolume;
  /** The attributes in which the object differs from a new one of its kind (write cache on). */
  readonly defaults?: Record<string, number>;
  /** The attributes that were set since. */
  readonly attributes?: Record<string, number>;
}

export function logicalUnit(options: Options = {}): { lu: StorageObject; volume: MemoryVolume } {
  const volume = options.volume ?? memoryVolume(1024 * 1024);
  const lu = new StorageObject({
    backstore: backstore(options.defaults ?? {}),
    name: options.name ?? 'disk0',
    config: {},
    wwn: options.wwn ?? 'c5887601-53cb-4030-8133-a895f2f05d13',
    volume,
  });
  lu.volume = recordedAnew(lu, volume);
  Object.assign(lu.attributes.values, options.attributes);
  return { lu, volume };
}

let tag = 0;

/** One nexus with a logical unit at each given number. */
export class ScsiInitiator {
  readonly nexus: Nexus;
  readonly luns: Map<number, StorageObject>;
  readonly view: Partial<LogicalUnitView>;

  /** @param name of the initiator, whole or what stands behind its colon @param view what differs in how it sees every logical unit (`writeProtected`) */
  constructor(luns: StorageObject | Map<number, StorageObject>, name = 'a', view: Partial<LogicalUnitView> = {}) {
    this.luns = luns instanceof Map ? luns : new Map([[0, luns]]);
    this.view = view;
    const iqn = name.startsWith('iqn.') ? name : `iqn.2026-01.com.example:${name}`;
    this.nexus = new Nexus({
      initiatorName: iqn,
      initiatorPortName: `${iqn},i,0x00023d000001`,
      targetPortName: view.port?.portName ?? port.portName,
      view: (lun) => {
        const storageObject = this.luns.get(lun);
        return storageObject && { storageObject, writeProtected: false, port, ...view };
      },
      luns: () => [...this.luns.keys()].sort((a, b) => a - b),
    });
  }

  /** Registers as a session does, and drops what is pending then. */
  login(): this {
    establishNexus(this.nexus);
    clearUnitAttentions(this.nexus);
    return this;
  }

  /** Ends its session. */
  logout(): void {
    loseNexus(this.nexus);
  }

  task(cdb: readonly number[], options: Partial<TaskRequest> = {}): Task {
    const lun = options.lun ?? 0;
    tag += 1;
    return new Task({
      nexus: this.nexus,
      lun,
      unit: this.nexus.view(lun),
      cdb: Uint8Array.from({ length: Math.max(16, cdb.length) }, (_, i) => cdb[i] ?? 0),
      attribute: 'simple',
      tag,
      ...options,
    });
  }

  /** Sends a command as a transport would. @param dataOut what it is ready to send; all of it is taken as far as wanted */
  async send(
    cdb: readonly number[],
    dataOut: Uint8Array = new Uint8Array(0),
    options: Partial<TaskRequest> = {},
  ): Promise<Answer> {
    const task = this.task(cdb, { dataOutOffered: dataOut.length, ...options });
    const refused = admitTask(task);
    if (refused) return answerOf(refused);
    task.dataOut = dataOut.subarray(0, task.dataOutLength);
    const completion = await executeTask(task);
    const answer = await answerOf(completion);
    retireTask(task);
    return answer;
  }
}

export async function answerOf(completion: Completion): Promise<Answer> {
  const { dataIn } = completion;
  let data = Buffer.alloc(0);
  if (dataIn instanceof Uint8Array) data = Buffer.from(dataIn);
  else if (dataIn) {
    data = Buffer.alloc(dataIn.length);
    await dataIn.volume.read(data, dataIn.position);
  }
  const senseData = Buffer.from(completion.sense ?? []);
  return { status: completion.status, data, sense: senseOf(senseData), senseData };
}

/** `5/24/00`, of sense data in either format; '' of none. */
export function senseOf(data: Buffer): string {
  if (data.length === 0) return '';
  const [key, asc, ascq] =
    data[0] === 0x72 || data[0] === 0x73 ? [data[1], data[2], data[3]] : [data[2], data[12], data[13]];
  return name({ key: key ?? 0, asc: asc ?? 0, ascq: ascq ?? 0 });
}

const hex = (value: number) => value.toString(16).padStart(2, '0');
const name = ({ key, asc, ascq }: Sense) => `${key.toString(16)}/${hex(asc)}/${hex(ascq)}`;

/** A number as `width` big-endian bytes, for CDBs and parameter lists. */
export const be = (value: number, width: number): number[] =>
  Array.from({ length: width }, (_, i) => Math.floor(value / 256 ** (width - 1 - i)) % 256);

/** `length` bytes that differ from block to block and from seed to seed. */
export const pattern = (length: number, seed = 1): Buffer =>
  Buffer.from(Uint8Array.from({ length }, (_, i) => (i * 7 + (i >> 9) * 13 + seed * 31) & 0xff));
