/** The I_T nexus of a front-end with one TPG of its target: the guest addresses the TPG by its tag, as with the kernel's vhost-scsi. */

import { Nexus, type StorageObject } from '../scsi/logical-unit.ts';
import { establishNexus, loseNexus } from '../scsi/nexus.ts';
import { abortNexus } from '../scsi/task-management.ts';
import { changeLunsOf } from '../scsi/unit-attention.ts';
import { lunsOf, portOf, viewOf } from '../target/access.ts';
import { ReachedUnits } from '../target/reached-units.ts';
import type { SessionInfo } from '../target/service.ts';
import type { NodeAcl, Tpg } from '../target/target.ts';
import { noTraffic, sumOf } from '../target/traffic.ts';

/**
 * The first number of sessions. A target has one front-end at a time, so its TPGs' port numbers tell sessions apart; numbers of iSCSI
 * sessions count from 1.
 */
const sessionIdsFrom = 1_000_000_000;

/** A change of a LUN. */
export interface LunChange {
  readonly lun: number;
  readonly what: 'added' | 'removed' | 'resized';
}

/** A LUN as the guest was told of it. */
interface Known {
  readonly storageObject: StorageObject;
  readonly bytes: number;
}

/** One nexus. */
export class VhostSession {
  readonly id: number;
  readonly tpg: Tpg;
  readonly acl: NodeAcl | undefined;
  readonly nexus: Nexus;
  readonly traffic = noTraffic();
  /** The number of commands that are not answered. */
  outstanding = 0;
  readonly units: ReachedUnits;
  #known: Map<number, Known>;

  /** Lets the TPG's own initiator name in, by its ACL if there is one, as the kernel's vhost-scsi does. */
  constructor(tpg: Tpg) {
    this.id = sessionIdsFrom + tpg.relativePortId;
    this.tpg = tpg;
    this.acl = tpg.acls.get(tpg.nexusWwn);
    this.units = new ReachedUnits(tpg, this.acl);
    this.nexus = new Nexus({
      session: this.id,
      initiatorName: tpg.nexusWwn,
      initiatorPortName: tpg.nexusWwn,
      targetPortName: portOf(tpg).portName,
      view: (lun) => this.units.view(lun),
      luns: () => lunsOf(tpg, this.acl),
    });
    this.#known = this.#inventory();
    establishNexus(this.nexus);
  }

  /**
   * Whether the session may not go on because access would not give the same answer again. @param tpg the TPG that the tree has in its
   * place
   */
  fallen(tpg: Tpg | undefined): boolean {
    return tpg !== this.tpg || !tpg.enabled || tpg.acls.get(tpg.nexusWwn) !== this.acl;
  }

  /** Follows the tree, which has changed. @returns the changes that the guest does not know yet */
  refresh(): LunChange[] {
    this.units.forget();
    const before = this.#known;
    this.#known = this.#inventory();
    const changes: LunChange[] = [];
    for (const [lun, { storageObject }] of before)
      if (this.#known.get(lun)?.storageObject !== storageObject) changes.push({ lun, what: 'removed' });
    for (const [lun, { storageObject, bytes }] of this.#known) {
      const known = before.get(lun);
      if (known?.storageObject !== storageObject) changes.push({ lun, what: 'added' });
      else if (known.bytes !== bytes) changes.push({ lun, what: 'resized' });
    }
    if (changes.some(({ what }) => what !== 'resized')) changeLunsOf(this.nexus);
    return changes;
  }

  /** The LUNs that the guest was told of last. */
  lunsNow(): number[] {
    return [...this.#known.keys()];
  }

  #inventory(): Map<number, Known> {
    const { tpg, acl } = this;
    return new Map(
      lunsOf(tpg, acl).flatMap((lun) => {
        const storageObject = viewOf(tpg, acl, lun)?.storageObject;
        if (!storageObject) return [];
        return [[lun, { storageObject, bytes: storageObject.blocks * storageObject.blockSize }] as const];
      }),
    );
  }

  /** Resets the nexus, because the guest has reset its device or this nexus (SAM-5 6.3.4). */
  async reset(): Promise<void> {
    const stopped = abortNexus(this.nexus);
    loseNexus(this.nexus);
    await stopped;
    establishNexus(this.nexus);
  }

  /** Ends the session. @returns when no command of it is on its way to a medium any more */
  async end(): Promise<void> {
    const stopped = abortNexus(this.nexus);
    loseNexus(this.nexus);
    await stopped;
  }

  /** The facts of the session that `sessions` shows. @param socket its front-end's way in @param peer its front-end */
  info(socket: string, peer: string): SessionInfo {
    const { target, tag } = this.tpg;
    return {
      id: this.id,
      fabric: target.fabric.name,
      targetWwn: target.wwn,
      tpgTag: tag,
      initiatorWwn: this.tpg.nexusWwn,
      initiatorAlias: peer,
      type: 'Normal',
      state: 'LOGGED_IN',
      authenticated: false,
      acl: this.acl !== undefined,
      traffic: sumOf([this.traffic]),
      outstanding: this.outstanding,
      connections: [{ cid: 0, state: 'LOGGED_IN', address: socket, transport: 'vhost-user' }],
    };
  }
}
