/** SendTargets (RFC 7143 appendix C): the targets that an initiator is shown, and their addresses. */

import { admitInitiator, whyUnlisted } from '../target/access.ts';

import { bracketed, type FabricState, type Portal, type Target, type Tpg } from '../target/target.ts';
import { isText, type Pair } from '../wire/text.ts';
import { advertisedAs } from './redirection.ts';

export interface Asker {
  readonly initiatorName: string;
  /** The initiator's address, without brackets. */
  readonly address: string;
  /** The clock on the wall, in milliseconds since 1970. */
  readonly date: number;
  /** Our address of the connection, which stands for a wildcard portal. */
  readonly localAddress: string;
  /** The port that a portal listens on; undefined when the portal does not listen. */
  boundPort(portal: Portal): number | undefined;
}

/**
 * TargetName and TargetAddress of each target that the initiator may know of.
 * @param value `All`, a target name, or '' for the session's own target
 * @returns undefined when the value has no place here: the key is answered with Reject
 */
export function sendTargets(
  state: FabricState,
  asker: Asker,
  value: string,
  own: Target | undefined,
): Pair[] | undefined {
  // RFC 7143 appendix C: All is for discovery sessions, the empty value for normal ones.
  if (value === 'All')
    return own ? undefined : [...state.targets.values()].flatMap((target) => describe(target, asker));
  if (value === '') return own && describe(own, asker);
  const name = value.toLowerCase();
  const target = state.targets.get(name);
  if (target) return describe(target, asker);
  return isName(name) ? [] : undefined;
}

/** RFC 7143 4.2.7: the type of a name comes first. */
const isName = (text: string): boolean => /^(iqn|eui|naa)\../.test(text);

/** Describes a target. A target out of a saved file may have a name that no initiator can say: such a target is left out. */
function describe(target: Target, asker: Asker): Pair[] {
  if (!isText(target.wwn)) return [];
  const shown = [...target.tpgs.values()].filter((tpg) => isShown(tpg, asker)).map((tpg) => addressesOf(tpg, asker));
  const open = shown.filter((addresses) => addresses !== undefined);
  return open.length === 0 ? [] : [['TargetName', target.wwn], ...open.flat()];
}

/**
 * The addresses of a TPG. Undefined: nobody can come, because every portal that is here is drained; without an address, an initiator would
 * try the one that it has.
 */
function addressesOf(tpg: Tpg, asker: Asker): Pair[] | undefined {
  const open = tpg.portals.filter(({ drain }) => drain === '');
  const addresses = open.flatMap((portal) => addressOf(tpg, portal, asker));
  return addresses.length === 0 && open.length < tpg.portals.length ? undefined : addresses;
}

/**
 * Whether an initiator is shown a TPG. In LIO, demo_mode_discovery shows a TPG also to initiators that access would not admit; in tgt, an
 * access list hides it.
 */
function isShown(tpg: Tpg, { initiatorName, address, date }: Asker): boolean {
  if (whyUnlisted(tpg, initiatorName, address) !== undefined) return false;
  if (!tpg.enabled) return tpg.attribute('tpg_enabled_sendtargets') === 0;
  return tpg.attribute('demo_mode_discovery') === 1 || admitInitiator(tpg, initiatorName, address, date).admitted;
}

function addressOf(tpg: Tpg, portal: Portal, { localAddress, boundPort }: Asker): Pair[] {
  const bound = boundPort(portal);
  // Another gateway may have it, under a tag of its own.
  if (bound === undefined && tpg.target.place.gateway !== undefined) return [];
  const port = bound ?? portal.port;
  const advertised = advertisedAs(portal, port);
  if (advertised !== undefined) return [['TargetAddress', `${advertised},${tpg.portalGroupTag}`]];
  const address = isWildcard(portal.address) ? localAddress : portal.address;
  // An IPv4 wildcard is not reached over the IPv6 address that the initiator came by.
  if (portal.address === '0.0.0.0' && address.includes(':')) return [];
  return [['TargetAddress', `${bracketed(address)}:${port},${tpg.portalGroupTag}`]];
}

const isWildcard = (address: string): boolean => address === '0.0.0.0' || address === '::' || address === '::0';
