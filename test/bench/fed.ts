// The cost of commands by themselves: `node test/bench/fed.ts [COMMAND …]`. A connection is fed PDUs by hand, 32 at a time, and its
// answers go nowhere; the disk is a ramdisk. The output is the CPU time of this process for each command, at best and in the middle of
// several rounds; with R2Ts, it includes the initiator's work. Without sockets and another process it can be compared with another commit
// on a busy machine.

import { parseArgs } from 'node:util';
import { ramdisk } from '../../src/backstore/ramdisk.ts';
import { dataOut, encodePdu, header, headerBytes, numbered, padding, readyToTransfer } from '../../src/iscsi/pdu.ts';
import { recordedAnew } from '../../src/scsi/lost-writes.ts';
import { advanceSerial } from '../../src/wire/serial.ts';
import { IscsiTarget } from '../support/iscsi-target.ts';
import { logicalUnit } from '../support/logical-unit.ts';

const { positionals } = parseArgs({ allowPositionals: true });

const bytes = 4096;
const depth = 32;
const rounds = 9;
const batchesPerRound = 1500;
const diskBytes = 16 * 1024 * 1024;

interface Command {
  readonly cdb: readonly number[];
  /** With its data: all at once, or as R2Ts ask for it. Absent: it reads. */
  readonly writes?: 'at once' | 'when asked';
}

const commands: Readonly<Record<string, Command>> = {
  read: { cdb: [0x28, 0] },
  'read with FUA': { cdb: [0x28, 0x08] },
  write: { cdb: [0x2a, 0], writes: 'at once' },
  'write by R2T': { cdb: [0x2a, 0], writes: 'when asked' },
};

/** @returns microseconds for a command, round by round, the fewest first */
async function measure({ cdb, writes }: Command): Promise<number[]> {
  const unit = logicalUnit();
  const volume = await ramdisk.open({ size: diskBytes });
  await volume.write(new Uint8Array(diskBytes).fill(1), 0, false);
  unit.lu.volume = recordedAnew(unit.lu, volume);
  const keys = { ImmediateData: writes === 'when asked' ? 'No' : 'Yes', InitialR2T: 'Yes' };
  const { initiator, connection, output } = await new IscsiTarget(unit).login(keys);
  output.onCommit = () => {};
  const pieces: Uint8Array[] = [];
  initiator.raw = (piece) => void pieces.push(piece);
  for (let at = 0; at < depth; at += 1) {
    const block = at * 37;
    const options = writes
      ? { data: new Uint8Array(bytes), immediateData: writes === 'at once' ? bytes : 0 }
      : { read: true, length: bytes };
    initiator.sendCommand([...cdb, 0, 0, block >> 8, block & 0xff, 0, 0, bytes / 512, 0], options);
  }
  const batch = Buffer.concat(pieces);
  let cmdSn = numbered.cmdSn.get(batch, 0);

  /** Sends what the R2Ts among the answers ask for. */
  const give = (): void => {
    const answers = output.take();
    const asked: Uint8Array[] = [];
    for (let at = 0; at < answers.length; ) {
      const { fields } = readyToTransfer;
      const initiatorTaskTag = fields.initiatorTaskTag.get(answers, at);
      const targetTransferTag = fields.targetTransferTag.get(answers, at);
      if (header.opcode.get(answers, at) === readyToTransfer.opcode)
        asked.push(
          encodePdu(dataOut, { final: true, initiatorTaskTag, targetTransferTag, dataSegmentLength: bytes }),
          new Uint8Array(bytes),
        );
      const length = header.dataSegmentLength.get(answers, at);
      at += headerBytes + length + padding(length);
    }
    const data = Buffer.concat(asked);
    connection.feed(data, 0, data.length);
  };

  const send = async (batches: number): Promise<void> => {
    for (let count = 0; count < batches; count += 1) {
      for (let at = 0; at < batch.length; at += batch.length / depth) {
        numbered.cmdSn.set(batch, at, cmdSn);
        cmdSn = advanceSerial(cmdSn);
      }
      connection.feed(batch, 0, batch.length);
      if (writes === 'when asked') give();
      output.forget();
      // Work for the end of a turn has its turn here.
      if (count % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
  };

  await send(2 * batchesPerRound);
  const costs: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const before = process.cpuUsage();
    await send(batchesPerRound);
    const { user, system } = process.cpuUsage(before);
    costs.push((user + system) / (batchesPerRound * depth));
  }
  await connection.close('measured');
  return costs.sort((one, other) => one - other);
}

for (const name of positionals.length > 0 ? positionals : Object.keys(commands)) {
  const command = commands[name];
  if (!command) throw new Error(`no command is named ${name}: ${Object.keys(commands).join(', ')}`);
  const costs = await measure(command);
  const [best, middle] = [costs[0]!, costs[costs.length >> 1]!].map((cost) => cost.toFixed(2));
  console.log(`${name.padEnd(14)} ${best} us at best, ${middle} us in the middle`);
}
process.exit();
