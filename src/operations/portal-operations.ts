/** Portals of a TPG: the addresses that it is to listen on. */

import { isIP } from 'node:net';
import { OperatorError } from '../errors.ts';
import { refuseAdvertised, refuseCircle, refuseDrain } from '../iscsi/redirection.ts';
import { bracketed, freshPortal, type Portal, printPortal, type Tpg } from '../target/target.ts';
import { operation } from './operation.ts';
import type { Tree } from './tree.ts';

/** The reason why a setting of a portal cannot have a value, by the setting. */
const refusals = { advertised: refuseAdvertised, drain: refuseDrain } as const;

export const portalOperations = [
  operation({
    at: 'portals',
    verb: 'create',
    doc: 'Listens on an address and a port.',
    params: { ip_address: 'string', ip_port: 'number?' },
    apply(tree, { tpg }, params) {
      const { address, port } = portalOf(params);
      const same = (tag: Tpg) => tag.portals.some((portal) => portal.address === address && portal.port === port);
      if (same(tpg)) throw new OperatorError('This NetworkPortal already exists in configFS');
      const other = [...tpg.target.tpgs.values()].find(same);
      if (other)
        throw new OperatorError(
          'Could not create NetworkPortal in configFS',
          `TPGs of one target cannot share ${bracketed(address)}:${port}: ${other.path} has it.`,
        );
      const taker = portalInTheWay(tree, tpg, address, port);
      if (taker)
        throw new OperatorError(
          'Could not create NetworkPortal in configFS',
          `${taker.path}/portals/${bracketed(taker.address)}:${port} and this one would take each other's connections; delete it first.`,
        );
      const portal: Portal = { ...freshPortal(address, port) };
      tpg.portals.push(portal);
      return {
        params: { ip_address: address, ip_port: port },
        undo: () => void tpg.portals.splice(tpg.portals.indexOf(portal), 1),
      };
    },
  }),
  operation({
    at: 'portals',
    verb: 'delete',
    doc: 'Stops listening there.',
    params: { ip_address: 'string', ip_port: 'number' },
    apply(_tree, { tpg }, params) {
      const portal = portalNamed(tpg, params.ip_address, params.ip_port);
      const at = tpg.portals.indexOf(portal);
      tpg.portals.splice(at, 1);
      return { params, undo: () => void tpg.portals.splice(at, 0, portal) };
    },
  }),
  operation({
    at: 'portal',
    verb: 'set',
    doc: 'Sets what initiators are told instead of the address on which it listens, or drains the portal.',
    params: { group: 'string', name: 'string', value: 'printable' },
    apply(_tree, { portal }, params, { restoring, comingBack = false }) {
      const { group, name, value } = params;
      if (group !== 'attribute' || (name !== 'advertised' && name !== 'drain'))
        throw new OperatorError(`Unknown parameter ${name} in group '${group}'.`);
      // A state of before comes back as it was: the portal may have been advertised by that address later.
      const isNew = name === 'drain' && !restoring && !comingBack;
      const refused = refusals[name](value) ?? (isNew ? refuseCircle(value, portal) : undefined);
      if (refused) throw new OperatorError(`Cannot set attribute ${name}: [Errno 22] Invalid argument`, refused);
      const before = portal[name];
      portal[name] = value;
      const undo = () => {
        portal[name] = before;
      };
      return { params, undo };
    },
  }),
];

/** @throws OperatorError when it does not listen there */
export function portalNamed({ portals, tag, target: { wwn, fabric } }: Tpg, given: string, port: number): Portal {
  const address = unbracketed(given);
  const portal = portals.find((one) => one.address === address && one.port === port);
  if (portal) return portal;
  throw new OperatorError(
    `No such NetworkPortal in configfs: /sys/kernel/config/target/${fabric.name}/${wwn}/tpgt_${tag}/np/${bracketed(address)}:${port}`,
    portals.length > 0 ? `Portals here: ${portals.map(printPortal).join(', ')}` : 'This TPG has no portals.',
  );
}

/** RFC 7143 13.8: the port of iSCSI. */
const defaultPort = 3260;

const anyOf = { 4: /^0\.0\.0\.0$/, 6: /^[0:]+$/ } as const;

/**
 * A portal in the way of a new one: a portal of all addresses and one of a single address cannot listen on the same port (of an address
 * family). Where there is one like the new one, nothing is in the way of that, and so of the new one: a thousand targets mostly share one
 * address.
 */
function portalInTheWay(tree: Tree, { target: { fabric } }: Tpg, address: string, port: number) {
  const family = address.includes(':') ? 6 : 4;
  const isAny = (one: string) => anyOf[family].test(one);
  if (port === 0) return undefined;
  for (const target of tree.fabrics.get(fabric.name)?.targets.values() ?? [])
    for (const tpg of target.tpgs.values())
      for (const other of tpg.portals)
        if (other.port === port) {
          if (other.address === address) return undefined;
          if (other.address.includes(':') === (family === 6) && isAny(address) !== isAny(other.address))
            return { path: tpg.path, address: other.address };
        }
  return undefined;
}

/** Takes brackets away: `[::1]` → `::1`. */
const unbracketed = (address: string): string => /^\[*([^[\]]*)\]*$/.exec(address)?.[1] ?? address;

/** Takes apart an address and a port that were given as one word, as `ls` shows them. */
const meantPort = (text: string): string[] => {
  const [, address, port] = /^(\d+\.\d+\.\d+\.\d+|\[[\da-f:.]+\]):(\d{1,5})$/i.exec(text) ?? [];
  return port === undefined ? [] : [`The port stands by itself: create ${address} ${port}`];
};

/** Reads a portal. @throws OperatorError for an address that is not numeric, or no port */
function portalOf({ ip_address, ip_port: port = defaultPort }: { ip_address: string; ip_port?: number }) {
  const address = unbracketed(ip_address);
  if (!isIP(address) && address !== '::0')
    throw new OperatorError(
      'Could not create NetworkPortal in configFS',
      [...meantPort(ip_address), `'${address}' is no IPv4 or IPv6 address; names are not resolved.`].join('\n'),
    );
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw new OperatorError(
      'Could not create NetworkPortal in configFS',
      `'${port}' is no port; ports are 0 to 65535.`,
    );
  return { address, port };
}
