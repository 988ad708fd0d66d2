/** `portals` of a TPG: the addresses that it listens on. */

import {
  bracketed,
  infoOf,
  keptOf,
  OperatorError,
  printPortal,
  schema,
  type Tpg,
  types,
  type ValueType,
} from '../../src/index.ts';
import { engineGroup } from '../session/configuration-groups.ts';
import { child, commandOf, type NodeType, optional, required, type ShellCommand } from '../session/node.ts';
import { describeDrain, drainCommands, type PortalOf } from './drain.ts';
import { mayDelete, sessionsIn } from './in-use.ts';
import { infoCommand } from './info.ts';
import { localAddresses } from './local-addresses.ts';
import { movePortal } from './moving.ts';

const anyAddress = '0.0.0.0';
/** The port that IANA assigned to iSCSI targets (RFC 7143 13.6). */
const defaultPort = 3260;

const portType = types.number as ValueType<number>;
/** An address: `[::1]` and `::1` are the same. */
const addressType: ValueType<string> = { ...types.string, parse: (text) => text.replace(/^\[(.*)\]$/, '$1') };

export const portals: NodeType<Tpg> = {
  doc: 'The addresses on which the TPG listens.',
  summary: (tpg) => ({ text: `Portals: ${tpg.portals.length}`, healthy: null }),
  children: (tpg) => tpg.portals.map((one) => child(printPortal(one), portal, { tpg, portal: one })),
  commands: {
    create: commandOf<Tpg>()({
      doc: 'Listens on an address and a port.',
      details: [
        `Without an address that is every IPv4 address of this machine, ${anyAddress}, and without a port it is ${defaultPort}, which is the port of iSCSI. A portal on one address and one on all of them cannot have the same port.`,
        'An IPv6 address may stand in brackets; ::0 is every address, of IPv4 as well. Names are not resolved.',
        'Where it listens on all addresses, discovery tells an initiator the one by which it came. Where initiators know it by another one, as behind NAT or in a container, set attribute advertised=ADDRESS:PORT at the portal.',
      ],
      seeAlso: ['delete'],
      parameters: [
        optional('ip_address', addressType, `An IPv4 or IPv6 address; ${anyAddress} for all when absent.`, {
          suggest: localAddresses,
        }),
        optional('ip_port', portType, `A port; ${defaultPort} when absent.`),
      ],
      examples: [{ line: 'create 127.0.0.1 3261', does: 'Listens on port 3261 for this machine only.' }],
      async run(tpg, { apply, info, created }, { ip_address, ip_port }) {
        if (ip_port === undefined) info(`Using default IP port ${defaultPort}`);
        const [address, port] = [ip_address ?? anyAddress, ip_port ?? defaultPort];
        if (address === anyAddress) info(`Binding to INADDR_ANY (${anyAddress})`);
        await apply(`${tpg.path}/portals`, 'create', { ip_address: address, ip_port: port });
        info(`Created network portal ${address}:${port}.`);
        await created(`${tpg.path}/portals/${printPortal({ address, port })}`);
      },
    }),
    delete: commandOf<Tpg>()({
      takesAway: true,
      doc: 'Listens there no more. Sessions that came in through it end.',
      seeAlso: ['create'],
      parameters: [
        required('ip_address', addressType, 'The address.', {
          suggest: ({ subject }) => new Set((subject as Tpg).portals.map(({ address }) => address)),
          ofChild: (name) => name.replace(/:\d+$/, ''),
        }),
        required('ip_port', portType, 'The port.', {
          ofChild: (name) => name.replace(/^.*:/, ''),
          suggest: ({ subject }, { given }) =>
            (subject as Tpg).portals
              .filter(({ address }) => bracketed(address) === bracketed(addressType.parse(given['ip_address'] ?? '')!))
              .map(({ port }) => String(port)),
        }),
      ],
      examples: [{ line: 'delete 127.0.0.1 3261', does: 'Closes that portal.', after: ['create 127.0.0.1 3261'] }],
      async run(tpg, context, { ip_address, ip_port }) {
        const { apply, info } = context;
        const at = `${tpg.path}/portals/${printPortal({ address: ip_address, port: ip_port })}`;
        if (!(await mayDelete(context, at, { sessions: sessionsIn([tpg]) }))) return;
        await apply(`${tpg.path}/portals`, 'delete', { ip_address, ip_port });
        info(`Deleted network portal ${ip_address}:${ip_port}`);
      },
    }),
  },
};

const portal: NodeType<PortalOf> = {
  doc: 'An address and a port on which the TPG listens.',
  summary({ tpg, portal: one }, host) {
    const problem = host.root.portalProblem(tpg, one);
    if (problem !== undefined) return { text: problem, healthy: false };
    const kept = keptOf(one);
    const drain = describeDrain({ tpg, portal: one }, host);
    const text = [drain, one.advertised && `as ${one.advertised}`, kept && `${kept} kept, TCP`]
      .filter(Boolean)
      .join(', ');
    return { text, healthy: drain === undefined ? true : null };
  },
  groups: ({ tpg, portal: one }) => [
    engineGroup('attribute', `${tpg.path}/portals/${printPortal(one)}`, () => [
      {
        name: 'advertised',
        doc: 'What discovery tells initiators instead of the address on which it listens: ADDRESS or ADDRESS:PORT, where a container or NAT has another one. Empty: the address itself.',
        type: types.string,
        value: one.advertised,
        readOnly: false,
      },
      {
        name: 'drain',
        doc: 'Whether new logins are refused (refuse), or where they are sent: ADDRESS or ADDRESS:PORT. Who came through the portal is asked to leave. Empty: it is open. `drain` sets it, and waits until nobody is left.',
        type: types.string,
        value: one.drain,
        readOnly: false,
      },
    ]),
  ],
  row: ({ tpg, portal: one }, rows) => rows.portal(tpg, one),
  commands: {
    ...drainCommands,
    move: movePortal,
    enable_iser: unavailable('iser', 'iSER', 'RDMA'),
    enable_offload: unavailable('offload', 'offload', 'a network card that speaks iSCSI'),
    info: infoCommand<PortalOf>('Shows its address and port.', ({ portal: one }) => ({
      ...infoOf(schema.portal, one),
      ...(keptOf(one) && { transport: `TCP; ${keptOf(one)} is kept in the saved file` }),
    })),
  },
};

/** Refuses a switch that this target cannot turn on, since it speaks TCP. */
function unavailable(key: 'iser' | 'offload', name: string, what: string): ShellCommand<PortalOf> {
  return commandOf<PortalOf>()({
    doc: `Switches ${name} on or off for this portal, in targetcli.`,
    details: [`Here it stays off: it needs ${what}, and this target speaks TCP.`],
    parameters: [required('boolean', types.bool, 'false.')],
    examples: [{ line: `enable_${key} false`, does: 'Leaves it off.' }],
    run(_portal, { info }, { boolean }) {
      if (boolean) throw new OperatorError(`Cannot change ${key}`, `${name} needs ${what}; this target speaks TCP.`);
      info(`${name} enable now: False`);
    },
  });
}
