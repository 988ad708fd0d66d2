/** The users of a LUN or a disk, and the disks of an initiator: the tree the other way round. */

import {
  type Host,
  type InitiatorRow,
  InventoryRows,
  type Lun,
  type NodeAcl,
  type SessionInfo,
  type StorageObject,
} from '../../src/index.ts';
import { commandOf } from '../session/node.ts';
import { type Columns, drawRows, sizeColumn } from '../session/table.ts';

interface UserRow {
  readonly initiator: string;
  readonly sid: number;
  readonly lun: string;
  readonly address: string;
}

const users: Columns<UserRow> = {
  initiator: { value: ({ initiator }) => initiator },
  sid: { value: ({ sid }) => sid },
  lun: { value: ({ lun }) => lun },
  address: { value: ({ address }) => address },
};

const usersOf = (lun: Lun, rows: InventoryRows): UserRow[] =>
  rows.usersOf(lun).map(({ initiatorWwn, id, connections }: SessionInfo) => ({
    initiator: initiatorWwn,
    sid: id,
    lun: rows.lun(lun).path,
    address: connections.map(({ address }) => address).join(', '),
  }));

const usersCommand = <S>(lunsIn: (subject: S) => readonly Lun[]) =>
  commandOf<S>()({
    doc: 'Lists who is logged in and sees it.',
    parameters: [],
    examples: [{ line: 'users', does: 'A line for each session that has it.' }],
    run(subject, { host, print }) {
      const rows = new InventoryRows(host.root);
      const found = lunsIn(subject).flatMap((lun) => usersOf(lun, rows));
      print(found.length > 0 ? drawRows(found, Object.entries(users)) : '(nobody who is logged in sees it)');
    },
    json(subject, { host }) {
      const rows = new InventoryRows(host.root);
      return lunsIn(subject).flatMap((lun) => usersOf(lun, rows));
    },
  });

export const lunUsers = usersCommand<Lun>((lun) => [lun]);
export const diskUsers = usersCommand<StorageObject>(({ exports }) => [...(exports as Set<Lun>)]);

type SeenRow = InitiatorRow['luns'][number] & { readonly size: number | null };

const seenColumns: Columns<SeenRow> = {
  lun: { value: ({ lun }) => lun },
  disk: { value: ({ disk }) => disk },
  size: sizeColumn(),
  mode: { value: ({ writeProtected }) => (writeProtected ? 'ro' : 'rw') },
};

/** The command. @param aclOf the ACL whose disks are shown */
export const disksCommand = <S>(aclOf: (subject: S) => NodeAcl) =>
  commandOf<S>()({
    doc: 'Lists the disks that the initiator sees: its numbers for them, and their sizes.',
    parameters: [],
    examples: [{ line: 'disks', does: 'What it sees.' }],
    run(subject, { host, print }) {
      const found = seenBy(aclOf(subject), host);
      print(found.length > 0 ? drawRows(found, Object.entries(seenColumns)) : '(it sees no disk)');
    },
    json: (subject, { host }) => seenBy(aclOf(subject), host),
  });

function seenBy(acl: NodeAcl, { root }: Host): SeenRow[] {
  const rows = new InventoryRows(root);
  return rows.initiator(acl.tpg, acl.wwn, acl).luns.map((one) => {
    const object = root.tree.storageObject(one.disk);
    return { ...one, size: object ? rows.disk(object).size : null };
  });
}
