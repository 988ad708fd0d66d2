/** The redirection of a TPG's logins (RFC 7143 11.13.5, 13.8) by its attribute `redirect`. */

import { isIPv4, isIPv6 } from 'node:net';
import { type Portal, portalPath, printPortal, type Tpg } from '../target/target.ts';
import { LoginError, loginStatus } from './protocol-error.ts';

interface Redirection {
  /** The address as in TargetAddress, without a portal group tag: `192.0.2.9:3260`, `[2001:db8::9]:3260`. */
  readonly address: string;
  readonly permanent: boolean;
}

/** The port of a TargetAddress without one (RFC 7143 13.8). */
const defaultPort = 3260;

const grammar = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9.-]{1,253}))(?::(\d{1,5}))?(,permanent)?$/;
/** A name of one label is a slip (`off`, `none`) more often than a host that every initiator can look up. */
const hostName = /^(?!-)[A-Za-z0-9-]{1,63}(?<!-)(?:\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))+$/;
const isHost = (text: string): boolean => (/^[\d.]+$/.test(text) ? isIPv4(text) : hostName.test(text));

/** Reads `ADDRESS[:PORT]`, with or without `,permanent` behind it; undefined when the text is neither. */
function parse(text: string): Redirection | undefined {
  const [whole, ipv6, host, digits, permanent] = grammar.exec(text) ?? [];
  const port = Number(digits ?? defaultPort);
  if (whole === undefined || port < 1 || port > 65_535) return undefined;
  if (ipv6 === undefined ? !isHost(host ?? '') : !isIPv6(ipv6)) return undefined;
  return { address: printPortal({ address: ipv6 ?? host ?? '', port }), permanent: permanent !== undefined };
}

/** The reason why `text` cannot be the attribute's value, or undefined. */
export const refuseRedirection = (text: string): string | undefined =>
  text === '' || parse(text)
    ? undefined
    : 'takes ADDRESS[:PORT], or ADDRESS[:PORT],permanent: 192.0.2.9, [2001:db8::9]:3260, storage.example.org,permanent.';

/** The drain of a portal whose new logins are refused, and sent nowhere. */
const refusingDrain = 'refuse';

/** The reason why `text` cannot be the drain of a portal, or undefined; '' means that it is not drained. */
export const refuseDrain = (text: string): string | undefined =>
  text === '' || text === refusingDrain || (parse(text) && !text.includes(','))
    ? undefined
    : `'${text}' is neither ${refusingDrain} nor an ADDRESS or ADDRESS:PORT that logins are sent to, as 192.0.2.9 or [2001:db8::9]:3260.`;

/** The reason why logins of a portal cannot be sent where `text` says, or undefined: they would come back to it. */
export function refuseCircle(text: string, portal: Portal): string | undefined {
  const to = parse(text)?.address;
  const isHere = to !== undefined && (to === printPortal(portal) || to === advertisedAs(portal, portal.port));
  return isHere ? `${to} is this portal itself: logins would come back to it.` : undefined;
}

/** The outcome of a login through a portal that is drained: it is refused for now, or sent elsewhere. */
export function drainOf(tpg: Tpg, portal: Portal | undefined): LoginError | undefined {
  if (!portal || portal.drain === '') return undefined;
  const to = parse(portal.drain);
  return to
    ? new LoginError(loginStatus.movedTemporarily, `to ${to.address}`, [['TargetAddress', to.address]])
    : new LoginError(loginStatus.serviceUnavailable, whyDrained(tpg, portal));
}

/** The reason of a refusal at a drained portal. */
export const whyDrained = (tpg: Tpg, portal: Portal): string => `${portalPath(tpg, portal)} is drained`;

/** The reason why `text` cannot be the address that a portal is advertised by, or undefined; '' means the address that it listens on. */
export const refuseAdvertised = (text: string): string | undefined =>
  text === '' || (parse(text) && !text.includes(','))
    ? undefined
    : `'${text}' is no ADDRESS or ADDRESS:PORT, as 192.0.2.9, [2001:db8::9]:3260 or storage.example.org.`;

/** The address that a portal is advertised by, with the port that it listens on where the text has none; undefined: its own address. */
export const advertisedAs = ({ advertised }: Portal, port: number): string | undefined =>
  advertised === '' ? undefined : /:\d+$/.test(advertised) ? advertised : `${advertised}:${port}`;

/**
 * The outcome of a login to a TPG that is redirected. An initiator that has come to the address in question is let in.
 * @param portal the address and port that the connection came to, as `printPortal` has it
 */
export function redirectionOf(tpg: Tpg, portal: string): LoginError | undefined {
  const to = parse(String(tpg.attributes.values['redirect'] ?? ''));
  const isHere = (one: Portal) => portal.endsWith(`:${one.port}`) && advertisedAs(one, one.port) === to?.address;
  if (!to || to.address === portal || tpg.portals.some(isHere)) return undefined;
  const status = to.permanent ? loginStatus.movedPermanently : loginStatus.movedTemporarily;
  return new LoginError(status, `to ${to.address}`, [['TargetAddress', to.address]]);
}
