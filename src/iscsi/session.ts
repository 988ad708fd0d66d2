/** A session: one I_T nexus over one or more connections, with the command numbering and the state that its connections share. */

import { Nexus, type StorageObject } from '../scsi/logical-unit.ts';
import { establishNexus, loseNexus } from '../scsi/nexus.ts';
import { sense } from '../scsi/sense.ts';
import { abortNexus, endLimited } from '../scsi/task-management.ts';
import { addUnitAttention, changeLunsOf } from '../scsi/unit-attention.ts';
import { dataMemory } from '../system/memory-budget.ts';
import { lunsOf, portOf, viewOf } from '../target/access.ts';
import { ReachedUnits } from '../target/reached-units.ts';
import type { SessionInfo } from '../target/service.ts';

import { bracketed, type NodeAcl, type Tpg } from '../target/target.ts';
import { noTraffic, sumOf } from '../target/traffic.ts';
import { advanceSerial, distance } from '../wire/serial.ts';
import type { Owner } from './command.ts';
import { CommandTable } from './command-table.ts';
import type { ConnectionState } from './connection-state.ts';
import type { Ends } from './ends.ts';
import { type NegotiatedParameters, sessionParameters } from './keys.ts';
import { writeBytesMax } from './limits.ts';
import type { JoinableSession, LoggedIn } from './login.ts';
import { announceLuns, sendPing } from './notices.ts';
import type { Sender, Window } from './sender.ts';

/** The depth of a discovery session, which has no TPG that says one. */
const discoveryDepth = 1;

/** A connection as its session sees it. */
export interface Member extends Owner {
  readonly cid: number;
  readonly ends: Ends;
  readonly state: ConnectionState;
  readonly sender: Sender;
  /** Asks the initiator to log out. @returns when the connection is closed */
  requestLogout(why: string): Promise<void>;
  /** Says that the connection or its session is dropped, and closes. */
  drop(why: string, what: 'connection' | 'session'): void;
  /** Closes the connection and ends its commands. @returns when they have stopped */
  close(why: string, event?: 'lost' | 'ended by another'): Promise<void>;
}

/** One session. */
export class Session implements JoinableSession, Window {
  /** The number for people: that of the connection that made the session, counted up in this process. */
  readonly id: number;
  readonly tsih: number;
  readonly type: 'Normal' | 'Discovery';
  readonly initiatorName: string;
  readonly initiatorAlias: string;
  readonly isid: string;
  readonly identity: string;
  readonly tpg: Tpg | undefined;
  readonly acl: NodeAcl | undefined;
  readonly authenticated: boolean;
  readonly parameters: NegotiatedParameters;
  /** The nexus of a normal session. */
  readonly nexus: Nexus | undefined;
  /** The connections by CID. */
  readonly connections = new Map<number, Member>();
  /** The commands of all connections. */
  readonly commands = new CommandTable();
  /** RFC 7143 4.2.2.1: the number of the next command, and of the last one that there is room for. */
  expCmdSn: number;
  maxCmdSn: number;
  /** MaxCmdSN as the initiator was last told. */
  shownMaxCmdSn = 0;
  /** The number of requests that there is room for when none is under way. */
  #depth: number;
  /** The number by which the window is still wider than that. */
  #excess = 0;
  readonly traffic = noTraffic();
  ended = false;
  #end: Promise<void> | undefined;
  /** Whether the initiator was asked to log out, or told that the session is over: nothing new comes in. */
  #dismissed = false;
  /** Requests that came before their turn. */
  readonly #held = new Map<number, { readonly from: Member; readonly run: () => void }>();
  /** The work that goes on when all numbers before `cmdSn` have been received. */
  #awaiting: { readonly cmdSn: number; readonly from: Member; readonly go: () => void }[] = [];
  /** The memory for data-out that is gathered. */
  readonly memory = dataMemory.account(writeBytesMax);
  /** The units that the session's commands reach. */
  readonly units: ReachedUnits;
  #inventory: readonly (number | StorageObject)[] = [];
  /** The logical units that may only be read. */
  #protected: ReadonlySet<StorageObject> = new Set();

  /** @param cmdSn of the login request that made the session */
  constructor(id: number, tsih: number, loggedIn: LoggedIn<Session>, cmdSn: number) {
    const { tpg, acl } = loggedIn;
    this.id = id;
    this.tsih = tsih;
    this.type = loggedIn.type;
    this.initiatorName = loggedIn.initiatorName;
    this.initiatorAlias = loggedIn.initiatorAlias;
    this.isid = loggedIn.isid;
    this.identity = loggedIn.identity;
    this.tpg = tpg;
    this.acl = acl;
    this.authenticated = loggedIn.authenticated;
    this.parameters = loggedIn.parameters;
    this.expCmdSn = cmdSn;
    this.#depth = this.#depthWanted();
    this.maxCmdSn = advanceSerial(cmdSn, this.#depth - 1);
    this.units = new ReachedUnits(tpg, acl);
    this.nexus =
      tpg &&
      new Nexus({
        session: id,
        initiatorName: this.initiatorName,
        // RFC 7143 4.4.1: iSCSI initiator name, ",i,0x" and the ISID.
        initiatorPortName: `${this.initiatorName},i,0x${this.isid}`,
        targetPortName: portOf(tpg).portName,
        view: (lun) => this.units.view(lun),
        luns: () => lunsOf(tpg, acl),
      });
    this.#inventory = this.#takeInventory();
    this.#protected = this.#protectedUnits();
    if (this.nexus) establishNexus(this.nexus);
  }

  mayJoin(cid: number): boolean {
    if (this.#dismissed) return false;
    return this.connections.has(cid) || this.connections.size < this.parameters.MaxConnections;
  }

  /** Follows a changed tree: LUNs are looked up again, and the initiator is told of another inventory. */
  refresh(): void {
    this.units.forget();
    this.#resize();
    const before = this.#inventory;
    this.#inventory = this.#takeInventory();
    this.#tellOfProtection();
    const same = before.length === this.#inventory.length && before.every((item, at) => item === this.#inventory[at]);
    if (same || !this.nexus) return;
    changeLunsOf(this.nexus);
    const [lun = 0] = this.nexus.luns();
    for (const connection of [...this.connections.values()].slice(0, 1)) announceLuns(connection.sender, lun);
  }

  /** WP is a bit of the mode parameter header (SBC-3 6.5.1): one that is another now is a mode parameter that changed. */
  #tellOfProtection(): void {
    const before = this.#protected;
    this.#protected = this.#protectedUnits();
    for (const lu of new Set([...before, ...this.#protected]))
      if (before.has(lu) !== this.#protected.has(lu) && this.nexus?.units.has(lu))
        addUnitAttention(this.nexus, lu, sense.modeParametersChanged);
  }

  #protectedUnits(): Set<StorageObject> {
    const { tpg, acl } = this;
    const views = tpg ? lunsOf(tpg, acl).flatMap((lun) => viewOf(tpg, acl, lun) ?? []) : [];
    return new Set(views.flatMap((view) => (view.writeProtected ? view.storageObject : [])));
  }

  #takeInventory(): (number | StorageObject)[] {
    const { tpg, acl } = this;
    if (!tpg) return [];
    return lunsOf(tpg, acl).flatMap((lun) => {
      const view = viewOf(tpg, acl, lun);
      return view ? [lun, view.storageObject] : [];
    });
  }

  /** Whether a numbered request may come now, in turn or before it; all others are dropped (RFC 7143 4.2.2.1). */
  inWindow(cmdSn: number): boolean {
    return distance(this.expCmdSn, cmdSn) >= 0 && distance(cmdSn, this.maxCmdSn) >= 0 && !this.#held.has(cmdSn);
  }

  /** Whether a numbered request is the next one, and no other waits for it. */
  isNext(cmdSn: number): boolean {
    return (
      cmdSn === this.expCmdSn &&
      distance(cmdSn, this.maxCmdSn) >= 0 &&
      this.#held.size === 0 &&
      this.#awaiting.length === 0
    );
  }

  /** Counts the next request, which has come and is being answered. */
  pass(): void {
    this.expCmdSn = advanceSerial(this.expCmdSn);
    this.answered();
  }

  /** Runs a numbered request that is in the window, now or in its turn. */
  inTurn(cmdSn: number, from: Member, run: () => void): void {
    if (cmdSn !== this.expCmdSn) {
      this.#held.set(cmdSn, { from, run });
      return;
    }
    this.expCmdSn = advanceSerial(cmdSn);
    run();
    this.runHeld();
  }

  /** Runs the requests whose turn has come. */
  runHeld(): void {
    let next = this.#held.get(this.expCmdSn);
    while (next && !this.ended) {
      this.#held.delete(this.expCmdSn);
      this.expCmdSn = advanceSerial(this.expCmdSn);
      next.run();
      next = this.#held.get(this.expCmdSn);
    }
    if (this.#awaiting.length === 0) return;
    for (const { cmdSn, go } of this.#awaiting) if (distance(this.expCmdSn, cmdSn) <= 0) go();
    this.#awaiting = this.#awaiting.filter(({ cmdSn }) => distance(this.expCmdSn, cmdSn) > 0);
  }

  /** Forgets the requests of a connection that have not come to their turn; none of them waits any more. */
  discard(from: Member): void {
    for (const [cmdSn, held] of this.#held) if (held.from === from) this.#held.delete(cmdSn);
    for (const one of this.#awaiting) if (one.from === from) one.go();
    this.#awaiting = this.#awaiting.filter((one) => one.from !== from);
  }

  /** Whether requests numbered before `cmdSn` are still to come; never for a number that cannot be. */
  #hasGapBefore(cmdSn: number): boolean {
    return distance(this.expCmdSn, cmdSn) > 0 && distance(cmdSn, advanceSerial(this.maxCmdSn)) >= 0;
  }

  /** Counts all requests numbered before `cmdSn` as received. */
  plug(cmdSn: number): void {
    while (this.#hasGapBefore(cmdSn)) {
      const held = this.#held.get(this.expCmdSn);
      this.#held.delete(this.expCmdSn);
      this.expCmdSn = advanceSerial(this.expCmdSn);
      if (held) held.run();
      else this.answered();
    }
    this.runHeld();
  }

  /** Resolves when all requests numbered before `cmdSn` have been received, or `from` is gone; undefined when they have. */
  receivedUntil(cmdSn: number, from: Member): Promise<void> | undefined {
    if (!this.#hasGapBefore(cmdSn)) return undefined;
    return new Promise((go) => {
      this.#awaiting.push({ cmdSn, from, go });
    });
  }

  /** Resolves when the initiator has everything that other connections than `one` sent until now (RFC 7143 4.2.2.3). */
  async delivered(one: Member): Promise<void> {
    const others = [...this.connections.values()].filter((other) => other !== one);
    await Promise.all(
      others.map((other) => {
        const delivered = other.sender.delivered;
        // The ping's answer acknowledges all that came before it.
        if (delivered) sendPing(other.sender);
        return delivered;
      }),
    );
  }

  /** Counts a numbered request as answered: there is room for another. */
  answered(): void {
    if (this.#excess > 0) this.#excess -= 1;
    else this.maxCmdSn = advanceSerial(this.maxCmdSn);
  }

  /** The depth of the initiator's ACL, or of the TPG. */
  #depthWanted(): number {
    const own = Number(this.acl?.attributes.values['tcq_depth'] ?? 0);
    return own || this.tpg?.attribute('default_cmdsn_depth') || discoveryDepth;
  }

  /** Sets the depth. A window that was once shown is not taken back (RFC 7143 4.2.2.1): it closes as commands are answered. */
  #resize(): void {
    const wanted = this.#depthWanted();
    const room = wanted - this.#depth - this.#excess;
    this.#depth = wanted;
    this.#excess = Math.max(0, -room);
    if (room > 0) this.maxCmdSn = advanceSerial(this.maxCmdSn, room);
  }

  /** Asks the initiator to log out; its commands under way are served until then. */
  dismiss(why: string): void {
    this.#dismissed = true;
    if (this.nexus) endLimited(this.nexus);
    for (const connection of this.connections.values()) void connection.requestLogout(why);
  }

  /** Tells the initiator that the session is over, and ends it. */
  cut(why: string): void {
    this.#dismissed = true;
    for (const connection of this.connections.values()) connection.drop(why, 'session');
  }

  /** The facts of the session that `sessions` shows. */
  info(fabric: string): SessionInfo {
    return {
      id: this.id,
      fabric,
      targetWwn: this.tpg?.target.wwn ?? '',
      tpgTag: this.tpg?.tag ?? 0,
      initiatorWwn: this.initiatorName,
      initiatorAlias: this.initiatorAlias,
      type: this.type,
      state: 'LOGGED_IN',
      authenticated: this.authenticated,
      acl: this.acl !== undefined,
      parameters: Object.fromEntries(
        sessionParameters.map((name) => {
          const value = this.parameters[name];
          return [name, typeof value === 'boolean' ? (value ? 'Yes' : 'No') : String(value)];
        }),
      ),
      traffic: sumOf([this.traffic]),
      outstanding: this.commands.size,
      window: { expCmdSn: this.expCmdSn, maxCmdSn: this.maxCmdSn },
      connections: [...this.connections.values()].map(({ cid, state, ends }) => ({
        cid,
        state,
        address: `${bracketed(ends.remoteAddress)}:${ends.remotePort}`,
        ...(ends.portal && { portal: ends.portal }),
        transport: 'TCP',
      })),
    };
  }

  /** Takes the nexus away. @returns when no command of the session is on its way to a medium any more */
  end(): Promise<void> {
    this.#end ??= this.#stop();
    return this.#end;
  }

  async #stop(): Promise<void> {
    this.ended = true;
    this.#held.clear();
    for (const { go } of this.#awaiting.splice(0)) go();
    this.memory.close();
    if (!this.nexus) return;
    const stopped = abortNexus(this.nexus);
    loseNexus(this.nexus);
    await stopped;
  }
}
