/** The output of `tgtadm --op show`, line by line. */

import { labelsOf } from '../operations/labels.ts';
import type { SessionInfo } from '../target/service.ts';
import { lunsIn, type NumberedTarget, type UnitView, viewOfUnit } from './view.ts';

const tab = '    ';
const lines = (depth: number, all: readonly string[]): string =>
  all.map((line) => `${tab.repeat(depth)}${line}\n`).join('');
const yes = (flag: boolean): string => (flag ? 'Yes' : 'No');

export function showTarget(one: NumberedTarget, sessions: readonly SessionInfo[]): string {
  const { tid, target, tpg } = one;
  const labels = labelsOf(tpg);
  const shown = { 'Nop interval': 'nop_interval', 'Nop count': 'nop_count' };
  const nops = Object.entries(shown).flatMap(([title, name]) =>
    labels.has(name) ? [`${title}: ${labels.get(name)}`] : [],
  );
  return [
    `Target ${tid}: ${target.wwn}\n`,
    lines(1, ['System information:']),
    lines(2, ['Driver: iscsi', `State: ${tpg.enabled ? 'ready' : 'offline'}`, ...nops]),
    lines(1, ['I_T nexus information:']),
    ...sessions.map(showNexus),
    lines(1, ['LUN information:']),
    ...(tpg.luns.has(0) ? [] : [showUnit(0, controllerOf(tid))]),
    ...lunsIn(tpg).map(({ index, storageObject }) => showUnit(index, viewOfUnit(storageObject))),
    lines(1, ['Account information:']),
    lines(2, accountsOf(one)),
    lines(1, ['ACL information:']),
    lines(2, rulesOf(one)),
  ].join('');
}

const accountsOf = ({ tpg: { auth, accounts } }: NumberedTarget): string[] => [
  ...(auth.userid === '' ? [] : [auth.userid]),
  ...accounts,
  ...(auth.mutual_userid === '' ? [] : [`${auth.mutual_userid} (outgoing)`]),
];

/** The rules of a target. Without a list, initiators that the ACLs admit may come from everywhere. */
const rulesOf = ({ tpg: { accessList } }: NumberedTarget): string[] =>
  accessList ? [...accessList.addresses, ...accessList.names] : ['ALL'];

function showNexus({ id, initiatorWwn, initiatorAlias, connections }: SessionInfo): string {
  return [
    lines(2, [`I_T nexus: ${id}`]),
    lines(3, [
      `Initiator: ${initiatorWwn} alias: ${initiatorAlias || 'none'}`,
      ...connections.flatMap(({ cid, address }) => [`Connection: ${cid}`, `${tab}IP Address: ${addressOf(address)}`]),
    ]),
  ].join('');
}

/** An address without its port: `192.0.2.7:4711`, `[::1]:4711`. */
const addressOf = (address: string): string => address.replace(/:\d+$/, '').replace(/[[\]]/g, '');

function showUnit(number: number, unit: UnitView): string {
  const about = [
    `Type: ${unit.type}`,
    `SCSI ID: ${unit.id}`,
    `SCSI SN: ${unit.serial}`,
    `Size: ${megabytes(unit.bytes)} MB, Block size: ${unit.blockSize}`,
    `Online: ${yes(unit.online)}`,
    `Removable media: ${yes(unit.removable)}`,
    'Prevent removal: No',
    `Readonly: ${yes(unit.readOnly)}`,
    'SWP: No',
    `Thin-provisioning: ${yes(unit.thin)}`,
    `Backing store type: ${unit.storeType}`,
    `Backing store path: ${unit.path ?? 'None'}`,
    `Backing store flags: ${unit.flags}`,
  ];
  return lines(2, [`LUN: ${number}`]) + lines(3, about);
}

/** The controller that tgt has under LUN 0. It is shown because scripts look for it, and no initiator is served one. */
const controllerOf = (tid: number): UnitView => ({
  type: 'controller',
  id: `IET     ${((tid << 16) >>> 0).toString(16).padStart(8, '0')}`,
  serial: `beaf${tid}0`,
  bytes: 0,
  blockSize: 1,
  online: true,
  removable: false,
  readOnly: false,
  thin: false,
  storeType: 'null',
  path: undefined,
  flags: '',
});

/** Rounds to 10^6 bytes in tgt's way. */
function megabytes(bytes: number): number {
  const sectors = Math.floor(bytes / 512);
  return Math.floor((sectors - (Math.floor(sectors / 625) - 974)) / 1950);
}

/** The connections of a target. */
export const showConnections = (sessions: readonly SessionInfo[]): string =>
  sessions
    .map(({ id, initiatorWwn, connections }) =>
      [
        `Session: ${id}\n`,
        ...connections.map(
          ({ cid, address }) =>
            lines(1, [`Connection: ${cid}`]) +
            lines(2, [`Initiator: ${initiatorWwn}`, `IP Address: ${addressOf(address)}`]),
        ),
      ].join(''),
    )
    .join('');

/** Shows the accounts. */
export const showAccounts = (names: readonly string[]): string =>
  names.length === 0 ? '' : `Account list:\n${lines(1, names)}`;

/** Shows the portals. */
export const showPortals = (portals: readonly string[]): string =>
  portals.map((portal) => `Portal: ${portal},1\n`).join('');

/** Shows the system: its state, its drivers and its kinds of store. */
export function showSystem({ online, debug }: { readonly online: boolean; readonly debug: boolean }): string {
  return [
    'System:\n',
    lines(1, [`State: ${online ? 'ready' : 'offline'}`, `debug: ${debug ? 'on' : 'off'}`]),
    'LLDs:\n',
    lines(1, ['iscsi: ready', 'iser: error']),
    'Backing stores:\n',
    lines(1, ['bsg', 'sg', 'null', 'mmc (bsoflags sync:direct)', 'rdwr (bsoflags sync:direct)', 'aio']),
    'Device types:\n',
    lines(1, ['disk', 'cd/dvd', 'controller', 'passthrough']),
    'iSNS:\n',
    lines(1, ['iSNS=Off', 'iSNSServerIP=', 'iSNSServerPort=3205', 'iSNSAccessControl=Off']),
  ].join('');
}

/** Shows the state of the drivers. */
export const showDrivers = (targets: readonly NumberedTarget[]): string =>
  [
    'LLDs:\n',
    lines(1, ['iscsi: ready']),
    lines(
      2,
      targets.map(({ tid, target }) => `Target ${tid}: ${target.wwn}`),
    ),
    lines(1, ['iser: error']),
  ].join('');
