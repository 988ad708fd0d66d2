/** `--mode portal`: the portals of every target. */

import { createServer } from 'node:net';
import type { ParameterValues } from '../operations/operation.ts';
import { printPortal, type Tpg } from '../target/target.ts';
import { changeTree, type Desk, stateOf } from './change.ts';
import { Refusal, type Request } from './protocol.ts';
import { showPortals } from './show.ts';

/** The portals of tgtd by default. */
export const defaultPortals = ['[::]:3260', '0.0.0.0:3260'] as const;

/** The operations on portals, by their names. */
export const portalRequests: Readonly<Record<string, (desk: Desk, request: Request) => Promise<string | undefined>>> = {
  async new(desk, { text }) {
    const portal = portalOf(text);
    if (portalsOf(desk).includes(portal)) throw new Refusal('invalid');
    const { ip_address: address, ip_port: port } = portalWords(portal);
    if (!(await canListen(String(address), Number(port))))
      throw new Refusal('invalid', `${portal} cannot be listened on`);
    const tpgs = tpgsOf(desk);
    await changeTree(
      desk,
      tpgs.map(({ path }) => ({ path: `${path}/portals`, verb: 'create', params: portalWords(portal) })),
    );
    desk.portals.unshift(portal);
    return undefined;
  },

  async delete(desk, { text }) {
    const portal = portalOf(text);
    if (!portalsOf(desk).includes(portal)) throw new Refusal('invalid');
    const having = tpgsOf(desk).filter(({ portals }) => portals.some((one) => printPortal(one) === portal));
    await changeTree(
      desk,
      having.map(({ path }) => ({ path: `${path}/portals`, verb: 'delete', params: portalWords(portal) })),
    );
    const at = desk.portals.indexOf(portal);
    if (at >= 0) desk.portals.splice(at, 1);
    return undefined;
  },

  async show(desk) {
    return showPortals(portalsOf(desk));
  },
};

const tpgsOf = (desk: Desk): Tpg[] => desk.numbers.list(stateOf(desk)).map(({ tpg }) => tpg);

/** The portals of new targets, and those that only targets have. */
const portalsOf = (desk: Desk): string[] => [
  ...new Set([...desk.portals, ...tpgsOf(desk).flatMap(({ portals }) => portals.map(printPortal))]),
];

/** Reads `portalOps portal=192.0.2.1:3260,`. @throws Refusal */
function portalOf(text: string): string {
  const [, address, port = '3260'] = /portal=(\[[\da-fA-F:.]+\]|[\d.]+)(?::(\d{1,5}))?(?:,|$)/.exec(text) ?? [];
  if (address === undefined) throw new Refusal('invalid');
  return `${address}:${port}`;
}

/** The parameters of an operation for a portal that is written `ADDRESS:PORT`. */
export function portalWords(portal: string): ParameterValues {
  const at = portal.lastIndexOf(':');
  return { ip_address: portal.slice(0, at).replace(/[[\]]/g, ''), ip_port: Number(portal.slice(at + 1)) };
}

/** Whether an address can be listened on. Without a target nobody listens yet, and tgtd says at once when it cannot: so it is tried. */
function canListen(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen({ host, port, ipv6Only: true }, () => probe.close(() => resolve(true)));
  });
}
