/** `--mode target`: targets, their parameters, and their access lists. */

import { printAccessList } from '../operations/access-operations.ts';
import { labelOperation, labelsOf, printLabels, setAttribute } from '../operations/labels.ts';
import type { Operation } from '../operations/operation.ts';
import type { StorageObject } from '../scsi/logical-unit.ts';
import type { AccessList } from '../target/access-list.ts';
import type { Lun, Tpg } from '../target/target.ts';
import { areBusy, changeTree, type Desk, fabricName, sessionsOf, stateOf } from './change.ts';
import { portalWords } from './portal-requests.ts';
import { Refusal, type Request } from './protocol.ts';
import { showTarget } from './show.ts';
import { statisticsOf } from './statistics.ts';
import { isOfTgt } from './view.ts';

type Handler = (desk: Desk, request: Request) => Promise<string | undefined>;

export const targetRequests: Readonly<Record<string, Handler>> = {
  async new(desk, { tid, text }) {
    const state = stateOf(desk);
    const wwn = wordOf(text, 'targetname');
    if (wwn === undefined || tid <= 0) throw new Refusal('invalid');
    const exists = desk.numbers.list(state).some((one) => one.tid === tid || one.target.wwn === wwn.toLowerCase());
    if (exists) throw new Refusal('targetExists');
    const path = `/${fabricName}/${wwn.toLowerCase()}/tpg1`;
    await changeTree(desk, [
      { path: `/${fabricName}`, verb: 'create', params: { wwn } },
      { path: `/${fabricName}/${wwn.toLowerCase()}`, verb: 'create', params: { tag: 1 } },
      setAttribute(path, 'authentication', 0),
      setAttribute(path, 'generate_node_acls', 1),
      setAttribute(path, 'demo_mode_write_protect', 0),
      setAttribute(path, 'labels', printLabels([['tid', String(tid)]])),
      // In tgt nobody may come before a rule says so.
      { path, verb: 'restrict', params: {} },
      { path, verb: 'enable', params: {} },
      ...desk.portals
        .toReversed()
        .map((portal) => ({ path: `${path}/portals`, verb: 'create', params: portalWords(portal) })),
    ]);
    return undefined;
  },

  async delete(desk, { tid, force }) {
    const { target, tpg } = desk.numbers.find(stateOf(desk), tid);
    const sessions = await sessionsOf(desk, tpg);
    if (sessions.length > 0 && !force) throw new Refusal('targetActive');
    if (await areBusy(desk, tpg, sessions)) throw new Refusal('unitActive');
    const units = [...target.tpgs.values()].flatMap(({ luns }) => [...luns.values()].map((lun) => lun.storageObject));
    const isElsewhere = (unit: StorageObject) => [...unit.exports].some((lun) => (lun as Lun).tpg.target !== target);
    const alone = [...new Set(units)].filter((unit) => isOfTgt(unit) && !isElsewhere(unit));
    await changeTree(desk, [
      { path: `/${fabricName}`, verb: 'delete', params: { wwn: target.wwn } },
      ...alone.map(({ backstore, name }) => ({
        path: `/backstores/${backstore.name}`,
        verb: 'delete',
        params: { name },
      })),
    ]);
    return undefined;
  },

  async show(desk, { tid }) {
    const state = stateOf(desk);
    if (tid >= 0) return parametersOf(desk.numbers.find(state, tid).tpg);
    const shown: string[] = [];
    for (const one of desk.numbers.list(state)) shown.push(showTarget(one, await sessionsOf(desk, one.tpg)));
    return shown.join('');
  },

  bind: (desk, request) => changeRules(desk, request, addRule),
  unbind: (desk, request) => changeRules(desk, request, removeRule),

  async update(desk, { tid, text }) {
    const { tpg } = desk.numbers.find(stateOf(desk), tid);
    const [, name = '', value = ''] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
    const operations = updatesOf(tpg, name, value);
    if (operations.length > 0) await changeTree(desk, operations);
    return undefined;
  },

  async stat(desk, { tid }) {
    return statisticsOf(desk, [desk.numbers.find(stateOf(desk), tid)]);
  },
};

/** The value of `NAME=VALUE` among pieces that commas join. */
export function wordOf(text: string, name: string): string | undefined {
  return text
    .split(',')
    .find((piece) => piece.startsWith(`${name}=`))
    ?.slice(name.length + 1);
}

type ChangeRule = (list: AccessList, part: keyof AccessList, rule: string) => AccessList;

const addRule: ChangeRule = (list, part, rule) => {
  if (list[part].includes(rule)) throw new Refusal('ruleExists');
  return { ...list, [part]: [...list[part], rule] };
};
const removeRule: ChangeRule = (list, part, rule) => {
  if (!list[part].includes(rule)) throw new Refusal('noRule');
  return { ...list, [part]: list[part].filter((one) => one !== rule) };
};

async function changeRules(desk: Desk, { tid, text }: Request, next: ChangeRule): Promise<undefined> {
  const { tpg } = desk.numbers.find(stateOf(desk), tid);
  const address = wordOf(text, 'initiator-address');
  const name = wordOf(text, 'initiator-name');
  if (!address && !name) throw new Refusal('invalid');
  // A target without a list lets everybody come, which is the meaning of ALL.
  let list: AccessList = tpg.accessList ?? { addresses: ['ALL'], names: [] };
  if (address) list = next(list, 'addresses', address);
  if (name) list = next(list, 'names', name);
  await changeTree(desk, [{ path: tpg.path, verb: 'restrict', params: printAccessList(list) }]);
  return undefined;
}

/** Keys of tgt that mean something else here or nothing: they are remembered and shown. */
const remembered: Readonly<Record<string, string>> = {
  RDMAExtensions: 'Yes',
  TargetRecvDataSegmentLength: '262144',
  InitiatorRecvDataSegmentLength: '262144',
  MaxOutstandingUnexpectedPDUs: '0',
};

/** The lines of `--op show --tid`, in tgt's order. */
const keys = [
  ...['MaxRecvDataSegmentLength', 'HeaderDigest', 'DataDigest', 'InitialR2T', 'MaxOutstandingR2T', 'ImmediateData'],
  ...['FirstBurstLength', 'MaxBurstLength', 'DataPDUInOrder', 'DataSequenceInOrder', 'ErrorRecoveryLevel', 'IFMarker'],
  ...['OFMarker', 'DefaultTime2Wait', 'DefaultTime2Retain', 'OFMarkInt', 'IFMarkInt', 'MaxConnections'],
  ...['RDMAExtensions', 'TargetRecvDataSegmentLength', 'InitiatorRecvDataSegmentLength'],
  ...['MaxOutstandingUnexpectedPDUs', 'MaxXmitDataSegmentLength', 'MaxQueueCmd'],
] as const;

/** tgt names the lengths of segments from the target's side, LIO from the initiator's. */
const parameterOf = (key: string): string =>
  ({ MaxRecvDataSegmentLength: 'MaxXmitDataSegmentLength', MaxXmitDataSegmentLength: 'MaxRecvDataSegmentLength' })[
    key
  ] ?? key;

function parametersOf(tpg: Tpg): string {
  const labels = labelsOf(tpg);
  const redirect = redirection(tpg);
  if (redirect)
    return Object.entries(redirect)
      .map(([name, value]) => `${name}=${value}\n`)
      .join('');
  const shownOf = (key: string) => {
    if (key === 'MaxQueueCmd') return String(tpg.attribute('default_cmdsn_depth'));
    // `CRC32C,None` lets the initiator choose, which tgt calls None.
    if (key.endsWith('Digest')) return tpg.parameter(key) === 'CRC32C' ? 'CRC32C' : 'None';
    return tpg.parameter(parameterOf(key)) || (labels.get(key) ?? remembered[key] ?? '');
  };
  const nops = ['nop_interval', 'nop_count'].map((name) => `${name}=${labels.get(name) ?? 0}\n`);
  return [...nops, ...keys.map((key) => `${key}=${shownOf(key)}\n`)].join('');
}

/** The attribute `redirect` in tgt's three words. */
function redirection(tpg: Tpg) {
  const [, address, port, permanent] = /^(\[[^\]]*\]|[^:,]*)(?::(\d+))?(,permanent)?$/.exec(redirectOf(tpg)) ?? [];
  return address
    ? {
        RedirectAddress: address.replace(/[[\]]/g, ''),
        RedirectPort: port ?? '3260',
        RedirectReason: permanent ? 'Permanent' : 'Temporary',
      }
    : undefined;
}

const redirectOf = ({ attributes }: Tpg): string => String((attributes.values as { redirect?: string }).redirect ?? '');

/** The operations of an update. @throws Refusal */
function updatesOf(tpg: Tpg, name: string, value: string): Operation[] {
  if (name === 'state') {
    if (value !== 'ready' && value !== 'offline') throw new Refusal('invalid');
    return tpg.enabled === (value === 'ready')
      ? []
      : [{ path: tpg.path, verb: tpg.enabled ? 'disable' : 'enable', params: {} }];
  }
  if (name === 'nop_interval' || name === 'nop_count') {
    if (!/^\d{1,9}$/.test(value)) throw new Refusal('invalid');
    return [labelOperation(tpg, { [name]: value === '0' ? '' : value })];
  }
  if (name.startsWith('Redirect')) return redirectTo(tpg, name, value);
  if (name === 'MaxQueueCmd') return [setAttribute(tpg.path, 'default_cmdsn_depth', value)];
  if (Object.hasOwn(remembered, name)) return [labelOperation(tpg, { [name]: value })];
  if (!(keys as readonly string[]).includes(name)) throw new Refusal('invalid');
  const digests = name.endsWith('Digest') && value === 'None' ? 'CRC32C,None' : value;
  return [{ path: tpg.path, verb: 'set', params: { group: 'parameter', name: parameterOf(name), value: digests } }];
}

/** The operations of a redirection. Its parts come one by one: a part without an address yet is remembered. */
function redirectTo(tpg: Tpg, name: string, value: string): Operation[] {
  if (!['RedirectAddress', 'RedirectPort', 'RedirectReason'].includes(name)) throw new Refusal('unsupported');
  if (name === 'RedirectReason' && value !== 'Temporary' && value !== 'Permanent') throw new Refusal('invalid');
  const labels = labelsOf(tpg);
  const words: Record<string, string> = {
    RedirectPort: labels.get('RedirectPort') ?? '3260',
    RedirectReason: labels.get('RedirectReason') ?? 'Temporary',
    ...redirection(tpg),
    [name]: value,
  };
  const { RedirectAddress: address = '', RedirectPort: port, RedirectReason: reason } = words;
  if (address === '' && name !== 'RedirectAddress') return [labelOperation(tpg, { [name]: value })];
  const at = address.includes(':') ? `[${address}]` : address;
  const redirect = address === '' ? '' : `${at}:${port}${reason === 'Permanent' ? ',permanent' : ''}`;
  return [setAttribute(tpg.path, 'redirect', redirect)];
}
