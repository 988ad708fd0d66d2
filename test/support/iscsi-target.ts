/** An iSCSI target without sockets: a tree with one TPG and one disk, and connections that are fed by hand. */

import { iscsi as fabric } from '../../src/fabric/iscsi.ts';
import { Connection } from '../../src/iscsi/connection.ts';
import type { ConnectionHost } from '../../src/iscsi/host.ts';
import type { Output } from '../../src/iscsi/output.ts';
import { Sessions } from '../../src/iscsi/sessions.ts';
import type { LogRecord } from '../../src/log.ts';
import type { StorageObject } from '../../src/scsi/logical-unit.ts';
import { clearUnitAttentions } from '../../src/scsi/unit-attention.ts';
import { type FabricState, fabricState, freshPortal, NodeAcl, newLun, Target, Tpg } from '../../src/target/target.ts';
import { Initiator } from './initiator.ts';
import { logicalUnit } from './logical-unit.ts';
import type { MemoryVolume } from './memory-volume.ts';

export const targetName = 'iqn.2026-01.com.example:disks';

/** A tree with one TPG in demo mode, writable, without authentication, with a window of 64 commands, and one LUN of 1 MiB (or `lu`). */
export function iscsiTree(lu: StorageObject = logicalUnit().lu): { state: FabricState; tpg: Tpg } {
  const state = fabricState(fabric);
  const target = new Target(fabric, targetName);
  const tpg = new Tpg(target, 1, 1);
  state.targets.set(target.wwn, target);
  target.tpgs.set(tpg.tag, tpg);
  tpg.enabled = true;
  Object.assign(tpg.attributes.values, { generate_node_acls: 1, demo_mode_write_protect: 0, authentication: 0 });
  tpg.attributes.set('default_cmdsn_depth', 64);
  addLun(tpg, 0, lu);
  tpg.portals.push(freshPortal('127.0.0.1', 0));
  return { state, tpg };
}

export function addLun(tpg: Tpg, index: number, storageObject: StorageObject): void {
  tpg.luns.set(index, newLun(tpg, index, storageObject, '0123456789'));
}

export function addAcl(tpg: Tpg, wwn: string): NodeAcl {
  const acl = new NodeAcl(tpg, wwn);
  for (const lun of tpg.luns.values())
    acl.mappedLuns.set(lun.index, { index: lun.index, lun, writeProtect: false, alias: '', unknown: {} });
  tpg.acls.set(wwn, acl);
  return acl;
}

/** The output of a connection, kept until it is taken. The test sets `blocked`. */
export class MemoryOutput implements Output {
  bytes: Uint8Array = new Uint8Array(1024 * 1024);
  blocked = false;
  ended = false;
  /** Called after each PDU. */
  onCommit: () => void = () => {};
  #end = 0;

  room(length: number): number {
    if (this.bytes.length - this.#end < length) throw new Error('the test takes its output too late');
    return this.#end;
  }

  commit(length: number): void {
    this.#end += length;
    this.onCommit();
  }

  end(): void {
    this.ended = true;
  }

  take(): Uint8Array {
    const taken = this.bytes.slice(0, this.#end);
    this.forget();
    return taken;
  }

  forget(): void {
    this.#end = 0;
  }
}

/** A target in this process. Its clock stands still unless the test moves it; its randomness counts up. */
export class IscsiTarget implements ConnectionHost {
  readonly state: FabricState;
  readonly tpg: Tpg;
  readonly lu: StorageObject;
  readonly volume: MemoryVolume;
  readonly sessionTable = new Sessions('iscsi');
  readonly logged: LogRecord[] = [];
  readonly log = (record: LogRecord): void => {
    this.logged.push(record);
  };
  time = 1000;
  /** The clock on the wall. */
  wallClock = Date.UTC(2026, 0, 1);
  /** The portal that connections come through, as the tree names it. */
  readonly portal = '127.0.0.1:0';
  #random = 0;

  constructor(unit: { lu: StorageObject; volume: MemoryVolume } = logicalUnit()) {
    const { state, tpg } = iscsiTree(unit.lu);
    this.state = state;
    this.tpg = tpg;
    this.lu = unit.lu;
    this.volume = unit.volume;
  }

  now(): number {
    return this.time;
  }

  date(): number {
    return this.wallClock;
  }

  random(bytes: number): Uint8Array {
    this.#random += 1;
    return new Uint8Array(bytes).fill(this.#random);
  }

  boundPort(): number {
    return 3260;
  }

  /** A new connection, and an initiator at its other end. @param piece bytes that are fed at a time; all by default */
  connect(piece = Number.POSITIVE_INFINITY): { initiator: Initiator; connection: Connection; output: MemoryOutput } {
    const output = new MemoryOutput();
    const addresses = { localAddress: '192.0.2.1', localPort: 3260, remoteAddress: '192.0.2.2', remotePort: 50000 };
    const ends = {
      id: 1,
      ...addresses,
      portal: this.portal,
      tpgs: () => [this.tpg],
      portalOf: () => this.tpg.portals[0],
    };
    const connection = new Connection(this, ends, output);
    const initiator = new Initiator(targetName, (bytes) => {
      for (let at = 0; at < bytes.length; at += piece) {
        // A buffer that is overwritten after the call, as a socket's is.
        const lent = Uint8Array.from(bytes.subarray(at, at + piece));
        connection.feed(lent, 0, lent.length);
        lent.fill(0xee);
      }
    });
    output.onCommit = () => initiator.receive(output.take());
    return { initiator, connection, output };
  }

  /** A session of two connections, CID 0 and 1. */
  async loginTwice() {
    this.tpg.parameters.set('MaxConnections', '2');
    const first = await this.login({ MaxConnections: '2' });
    const second = this.connect();
    Object.assign(second.initiator, { cid: 1, tsih: first.initiator.tsih, lastTag: 100 });
    await second.initiator.login();
    return { target: this, first, second };
  }

  /** A connection that is logged in, with no unit attention pending. */
  async login(keys: Record<string, string> = {}, piece?: number) {
    const parts = this.connect(piece);
    await parts.initiator.login(keys);
    for (const session of this.sessionTable) if (session.nexus) clearUnitAttentions(session.nexus);
    return parts;
  }
}
