/**
 * The inventory as rows: disks, LUNs, initiators, targets and portals, each with the columns by which people compare them. Sizes and
 * counts are numbers. `list`, `ls --json`, the control socket and live views show the same rows.
 */

import type { StorageObject } from '../scsi/logical-unit.ts';
import { admitsWithoutAcl, lunsOf } from '../target/access.ts';
import { isMutual, letsIn } from '../target/auth.ts';
import type { SessionInfo } from '../target/service.ts';
import {
  aclNode,
  type Lun,
  type NodeAcl,
  type Portal,
  portalPath,
  printPortal,
  type Target,
  type Tpg,
} from '../target/target.ts';
import type { Root } from './root.ts';

/** A storage object. */
export interface DiskRow {
  readonly path: string;
  readonly name: string;
  readonly kind: string;
  /** The size in bytes; null while the medium is not open and nobody knows the size. */
  readonly size: number | null;
  /** The file, device or address of the medium; '' where the medium is memory. */
  readonly medium: string;
  readonly writeBack: boolean;
  readonly readOnly: boolean;
  readonly wwn: string;
  /** Paths of the LUNs that export the disk. */
  readonly luns: readonly string[];
  /** The number of sessions that see the disk. */
  readonly sessions: number;
  /** The reason why the disk cannot be used, in a line; '' when it can. */
  readonly problem: string;
}

/** A LUN. */
export interface LunRow {
  readonly path: string;
  readonly target: string;
  readonly tpg: number;
  readonly lun: number;
  readonly disk: string;
  readonly size: number | null;
  /** Initiators whose ACL maps the LUN. */
  readonly mappedFor: readonly string[];
  /** Whether initiators without an ACL see the LUN. */
  readonly forEverybody: boolean;
  readonly sessions: number;
  readonly problem: string;
}

/** An initiator at a TPG: it has an ACL there, or is logged in without one. */
export interface InitiatorRow {
  /** The path of the initiator's ACL, or of the TPG where the initiator has none. */
  readonly path: string;
  readonly name: string;
  readonly target: string;
  readonly tpg: number;
  readonly hasAcl: boolean;
  /** The CHAP that a login needs: none, of the initiator alone, or of both sides. */
  readonly chap: 'none' | 'one-way' | 'mutual';
  readonly sessions: number;
  readonly addresses: readonly string[];
  readonly luns: readonly { readonly lun: number; readonly disk: string; readonly writeProtected: boolean }[];
}

/** A target. */
export interface TargetRow {
  readonly path: string;
  readonly fabric: string;
  readonly wwn: string;
  readonly enabled: boolean;
  readonly tpgs: number;
  readonly luns: number;
  readonly acls: number;
  readonly portals: readonly string[];
  readonly sessions: number;
}

/** A portal. */
export interface PortalRow {
  readonly path: string;
  readonly target: string;
  readonly tpg: number;
  readonly address: string;
  readonly port: number;
  /** Whether the portal listens. */
  readonly up: boolean;
  readonly sessions: number;
  readonly problem: string;
}

/** All rows, by kind. */
export interface Inventory {
  readonly disks: readonly DiskRow[];
  readonly luns: readonly LunRow[];
  readonly initiators: readonly InitiatorRow[];
  readonly targets: readonly TargetRow[];
  readonly portals: readonly PortalRow[];
}

/** A kind of rows. */
export type InventoryKind = keyof Inventory;
type RowOf<K extends InventoryKind> = Inventory[K][number];

/** The initiators that are logged in, by their TPG. */
export class InventoryRows {
  readonly #root: Root;
  readonly #sessions: ReadonlyMap<string, readonly SessionInfo[]>;
  readonly #users = new Map<Tpg, ReadonlyMap<Lun, Users>>();

  /** @param root with sessions as of its last `observe` */
  constructor(root: Root) {
    this.#root = root;
    this.#sessions = Map.groupBy(root.sessions(), ({ fabric, targetWwn, tpgTag }) => keyOf(fabric, targetWwn, tpgTag));
  }

  disk(object: StorageObject): DiskRow {
    const { path, name, backstore, config, attributes, wwn, missing } = object;
    const luns = [...(object.exports as Set<Lun>)];
    const loss = this.#root.lossOf(object);
    return {
      path,
      name,
      kind: backstore.name,
      size: sizeOf(object),
      medium: String(config['dev'] ?? config['config'] ?? ''),
      writeBack: attributes.values.emulate_write_cache === 1,
      readOnly: attributes.values.read_only === 1,
      wwn,
      luns: luns.map(lunPath),
      sessions: luns.reduce((sum, lun) => sum + this.usersOf(lun).length, 0),
      problem: missing ?? (loss ? `writes may be lost: ${loss.reason}` : ''),
    };
  }

  lun(lun: Lun): LunRow {
    const { tpg, index, storageObject } = lun;
    return {
      path: lunPath(lun),
      target: tpg.target.wwn,
      tpg: tpg.tag,
      lun: index,
      disk: storageObject.path,
      size: sizeOf(storageObject),
      mappedFor: [...this.#usersOf(lun).acls],
      forEverybody: admitsWithoutAcl(tpg),
      sessions: this.usersOf(lun).length,
      problem: storageObject.missing ?? this.#root.lunProblem(lun)?.message ?? '',
    };
  }

  initiator(tpg: Tpg, name: string, acl: NodeAcl | undefined): InitiatorRow {
    const sessions = this.sessionsAt(tpg).filter((one) => one.initiatorWwn === name && one.acl === (acl !== undefined));
    return {
      path: acl ? aclNode(acl) : tpg.path,
      name,
      target: tpg.target.wwn,
      tpg: tpg.tag,
      hasAcl: acl !== undefined,
      chap: chapOf(tpg, acl),
      sessions: sessions.length,
      addresses: [...new Set(sessions.flatMap((one) => one.connections.map(({ address }) => withoutPort(address))))],
      luns: lunsOf(tpg, acl).flatMap((number) => {
        const mapped = acl?.mappedLuns.get(number);
        const lun = acl ? mapped?.lun : tpg.luns.get(number);
        const protectedBy = acl ? 'prod_mode_write_protect' : 'demo_mode_write_protect';
        const writeProtected = (mapped?.writeProtect ?? false) || tpg.attribute(protectedBy) === 1;
        return lun ? [{ lun: number, disk: lun.storageObject.path, writeProtected }] : [];
      }),
    };
  }

  target({ path, fabric, wwn, tpgs }: Target): TargetRow {
    const all = [...tpgs.values()];
    const sum = (count: (tpg: Tpg) => number) => all.reduce((total, tpg) => total + count(tpg), 0);
    return {
      path,
      fabric: fabric.name,
      wwn,
      enabled: all.some(({ enabled }) => enabled),
      tpgs: all.length,
      luns: sum((tpg) => tpg.luns.size),
      acls: sum((tpg) => tpg.acls.size),
      portals: [...new Set(all.flatMap((tpg) => tpg.portals.map(printPortal)))],
      sessions: sum((tpg) => this.sessionsAt(tpg).length),
    };
  }

  portal(tpg: Tpg, portal: Portal): PortalRow {
    const problem = this.#root.portalProblem(tpg, portal);
    return {
      path: portalPath(tpg, portal),
      target: tpg.target.wwn,
      tpg: tpg.tag,
      address: portal.address,
      port: portal.port,
      up: this.#root.serving && tpg.enabled && problem === undefined,
      sessions: this.sessionsThrough(tpg, portal).length,
      problem: problem ?? (tpg.enabled ? '' : `${tpg.path} is disabled`),
    };
  }

  /** All initiators that have an ACL at a TPG or are logged in there without one. */
  initiatorsAt(tpg: Tpg): InitiatorRow[] {
    const strangers = this.sessionsAt(tpg).filter(({ acl, type }) => !acl && type === 'Normal');
    return [
      ...Array.from(tpg.acls.values(), (acl) => this.initiator(tpg, acl.wwn, acl)),
      ...[...new Set(strangers.map(({ initiatorWwn }) => initiatorWwn))].map((name) =>
        this.initiator(tpg, name, undefined),
      ),
    ];
  }

  sessionsAt({ target: { fabric, wwn }, tag }: Tpg): readonly SessionInfo[] {
    return this.#sessions.get(keyOf(fabric.name, wwn, tag)) ?? [];
  }

  /** The sessions of a TPG that have a connection through one of its portals. */
  sessionsThrough(tpg: Tpg, portal: Portal): readonly SessionInfo[] {
    const name = printPortal(portal);
    return this.sessionsAt(tpg).filter(({ connections }) => connections.some((one) => one.portal === name));
  }

  /** The sessions that see a LUN. */
  usersOf(lun: Lun): readonly SessionInfo[] {
    return this.#usersOf(lun).sessions;
  }

  /** The users of all LUNs of a TPG, found out at once: there may be many LUNs, and many sessions that see them. */
  #usersOf(lun: Lun): Users {
    return this.#usersAt(lun.tpg).get(lun) ?? { acls: new Set(), sessions: [] };
  }

  #usersAt(tpg: Tpg): ReadonlyMap<Lun, Users> {
    const known = this.#users.get(tpg);
    if (known) return known;
    const users = new Map<Lun, Users>(
      Array.from(tpg.luns.values(), (lun) => [lun, { acls: new Set<string>(), sessions: [] }]),
    );
    for (const { wwn, mappedLuns } of tpg.acls.values())
      for (const { lun } of mappedLuns.values()) users.get(lun)?.acls.add(wwn);
    for (const session of this.sessionsAt(tpg)) {
      const acl = session.acl ? tpg.acls.get(session.initiatorWwn) : undefined;
      const seen = acl ? Array.from(acl.mappedLuns.values(), ({ lun }) => lun) : session.acl ? [] : tpg.luns.values();
      for (const lun of new Set(seen)) users.get(lun)?.sessions.push(session);
    }
    this.#users.set(tpg, users);
    return users;
  }
}

interface Users {
  readonly acls: Set<string>;
  readonly sessions: SessionInfo[];
}

/** The rows of each kind, in the order of the tree. */
const inventory: { readonly [K in InventoryKind]: (root: Root, rows: InventoryRows) => RowOf<K>[] } = {
  disks: ({ tree }, rows) => Array.from(tree.allStorageObjects(), (object) => rows.disk(object)),
  luns: ({ tree }, rows) => [...tree.tpgs()].flatMap((tpg) => Array.from(tpg.luns.values(), (lun) => rows.lun(lun))),
  initiators: ({ tree }, rows) => [...tree.tpgs()].flatMap((tpg) => rows.initiatorsAt(tpg)),
  targets: ({ tree }, rows) => Array.from(tree.targets(), (target) => rows.target(target)),
  portals: ({ tree }, rows) => [...tree.tpgs()].flatMap((tpg) => tpg.portals.map((one) => rows.portal(tpg, one))),
};

/** The names of the kinds of rows. */
export const inventoryKinds = Object.keys(inventory) as InventoryKind[];

/** @param root with sessions as of its last `observe` */
export const rowsOf = <K extends InventoryKind>(root: Root, kind: K): RowOf<K>[] =>
  inventory[kind](root, new InventoryRows(root));

/** @param root with sessions as of its last `observe` */
export function inventoryOf(root: Root): Inventory {
  const rows = new InventoryRows(root);
  return Object.fromEntries(inventoryKinds.map((kind) => [kind, inventory[kind](root, rows)])) as unknown as Inventory;
}

const keyOf = (fabric: string, wwn: string, tag: number): string => `${fabric} ${wwn} ${tag}`;

const lunPath = ({ tpg, index }: Lun): string => `${tpg.path}/luns/lun${index}`;

const withoutPort = (address: string): string => address.replace(/:\d+$/, '');

/** The size in bytes of the open medium, or the size that was asked for while the medium is closed. */
function sizeOf({ size, config }: StorageObject): number | null {
  const asked = config['size'];
  return size ?? (typeof asked === 'number' ? asked : null);
}

function chapOf(tpg: Tpg, acl: NodeAcl | undefined): InitiatorRow['chap'] {
  const own = Number(acl?.attributes.values['authentication'] ?? -1);
  const required = (own === -1 ? tpg.attribute('authentication') : own) === 1;
  const auth = acl?.auth ?? tpg.auth;
  if (!required && !letsIn(auth)) return 'none';
  return isMutual(auth) ? 'mutual' : 'one-way';
}
