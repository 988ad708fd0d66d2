/**
 * The duties of a disk to its initiators: every sector holds a stamp, and after a crash it must be the last one that was stable or a
 * later one that was sent. Sectors are written by raw PDUs (WRITE(10), with FUA or followed by SYNCHRONIZE CACHE) and by qemu-io.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { type Connected, connectInitiator } from '../support/connect-initiator.ts';
import type { Random } from '../support/random.ts';

const sectorBytes = 512;
/** Sectors in one write: a crash may cut it at any of them. */
const writeSectors = 8;
const diskSectors = 2048;
/** The part from here on is qemu-io's. */
const toolFrom = 1024;

export interface TortureDiskOptions {
  readonly port: number;
  readonly wwn: string;
  readonly random: Random;
}

export class TortureDisk {
  readonly #options: TortureDiskOptions;
  /** Per sector: the stamp that must be there at least, and every later one that was sent. */
  readonly #stable = new Uint32Array(diskSectors);
  readonly #sent: number[][] = Array.from({ length: diskSectors }, () => []);
  #stamp = 0;
  writes = 0;
  flushes = 0;
  toolWrites = 0;

  constructor(options: TortureDiskOptions) {
    this.#options = options;
  }

  /** Writes until the target goes away. */
  async write(): Promise<void> {
    const { random, port, wwn } = this.#options;
    let connected: Connected | undefined;
    try {
      connected = await connectInitiator(port, wwn, 'iqn.1994-05.com.redhat:torture');
      const { initiator, lost } = connected;
      const command = async (cdb: number[], data?: Buffer) => {
        const outcome = await Promise.race([initiator.command(cdb, data ? { data } : {}), lost]);
        // A unit attention is news, not an error: again.
        return outcome.status;
      };
      const answered: number[] = [];
      for (;;) {
        const lba = Math.floor(random() * (toolFrom / writeSectors)) * writeSectors;
        const fua = random() < 0.3;
        const stamp = this.#send(lba);
        const cdb = [0x2a, fua ? 8 : 0, 0, 0, lba >> 8, lba & 0xff, 0, 0, writeSectors, 0];
        if ((await command(cdb, stamped(stamp))) !== 0) continue;
        this.writes += 1;
        if (fua) this.#settle(lba, stamp);
        else answered.push(lba, stamp);
        if (random() > 0.1 || (await command([0x35, 0, 0, 0, 0, 0, 0, 0, 0, 0])) !== 0) continue;
        this.flushes += 1;
        for (let at = 0; at < answered.length; at += 2) this.#settle(answered[at]!, answered[at + 1]!);
        answered.length = 0;
      }
    } catch {
      // The target went away, as it must.
    } finally {
      connected?.close();
    }
  }

  /** Writes by qemu-io, with FUA, until it is killed. */
  runTool(): ChildProcess {
    const { random, port, wwn } = this.#options;
    const url = `iscsi://127.0.0.1:${port}/${wwn}/0`;
    const tool = spawn('stdbuf', ['-oL', 'qemu-io', '-f', 'raw', url], { stdio: ['pipe', 'pipe', 'ignore'] });
    tool.stdin.on('error', () => {});
    tool.on('error', () => {});
    const pending: { lba: number; stamp: number }[] = [];
    const next = () => {
      const lba = toolFrom + Math.floor(random() * ((diskSectors - toolFrom) / writeSectors)) * writeSectors;
      // One byte is all that its patterns hold.
      const stamp = this.#send(lba, 1 + (Math.max(this.#stable[lba]!, this.#sent[lba]!.at(-1) ?? 0) % 250));
      pending.push({ lba, stamp });
      tool.stdin.write(`write -f -P ${stamp} ${lba * sectorBytes} ${writeSectors * sectorBytes}\n`);
    };
    let output = '';
    tool.stdout.on('data', (data) => {
      output += data;
      for (let end = output.indexOf('\n'); end >= 0; end = output.indexOf('\n')) {
        const line = output.slice(0, end);
        output = output.slice(end + 1);
        if (!/wrote 4096\/4096 bytes at offset/.test(line)) continue;
        const { lba, stamp } = pending.shift()!;
        this.#settle(lba, stamp);
        this.toolWrites += 1;
        next();
      }
    });
    next();
    return tool;
  }

  /** Reads everything. @returns what was lost, a line each */
  async check(): Promise<string[]> {
    const { port, wwn } = this.#options;
    const { initiator, lost, close } = await connectInitiator(port, wwn, 'iqn.1994-05.com.redhat:checker');
    const losses: string[] = [];
    try {
      for (let lba = 0; lba < diskSectors; ) {
        const cdb = [0x28, 0, 0, 0, lba >> 8, lba & 0xff, 0, 0, 128, 0];
        const { status, data } = await Promise.race([
          initiator.command(cdb, { read: true, length: 128 * sectorBytes }),
          lost,
        ]);
        if (status !== 0) continue;
        for (let sector = 0; sector < 128; sector += 1)
          losses.push(
            ...this.#checkSector(lba + sector, data.subarray(sector * sectorBytes, (sector + 1) * sectorBytes)),
          );
        lba += 128;
      }
    } finally {
      close();
    }
    return losses;
  }

  #checkSector(lba: number, bytes: Buffer): string[] {
    const found = lba < toolFrom ? bytes.readUInt32LE(0) : bytes[0]!;
    const wanted = lba < toolFrom ? stamped(found, 1) : Buffer.alloc(sectorBytes, found);
    const allowed = [this.#stable[lba]!, ...this.#sent[lba]!];
    this.#stable[lba] = found;
    this.#sent[lba] = [];
    if (!bytes.equals(wanted)) return [`sector ${lba} is torn`];
    return allowed.includes(found) ? [] : [`sector ${lba} holds ${found}, not one of ${allowed.join(', ')}`];
  }

  #send(lba: number, stamp = ++this.#stamp): number {
    for (let sector = lba; sector < lba + writeSectors; sector += 1) this.#sent[sector]!.push(stamp);
    return stamp;
  }

  /** Forgets earlier stamps: a sector's writes are answered in the order in which they were sent. */
  #settle(lba: number, stamp: number): void {
    for (let sector = lba; sector < lba + writeSectors; sector += 1) {
      const sent = this.#sent[sector]!;
      const at = sent.indexOf(stamp);
      if (at < 0) continue;
      this.#stable[sector] = stamp;
      sent.splice(0, at + 1);
    }
  }
}

function stamped(stamp: number, sectors = writeSectors): Buffer {
  const words = new Uint32Array((sectors * sectorBytes) / 4).fill(stamp);
  return Buffer.from(words.buffer);
}
