/**
 * A logical unit that several gateways show, of which one serves it: what this gateway knows of that, and whom it asks. Each
 * gateway is a target port group; the others are Standby (SPC-4 5.15.2).
 */

import type { AluaGroup } from './alua-group.ts';

/** `alone`: it is served, and nothing that gateways share can be asked or changed. */
export type SharedStanding = 'active' | 'alone' | 'transition' | 'standby';

/** A command that the gateway which serves the unit is to carry out, as it came to another. Plain data. */
export interface RelayedCommand {
  readonly initiatorName: string;
  readonly initiatorPortName: string;
  readonly targetPortName: string;
  readonly relativePortId: number;
  /** Base64, as the data. */
  readonly cdb: string;
  readonly data: string;
}

/** How it ended. Plain data; sense in base64. */
export interface RelayedCompletion {
  readonly status: number;
  readonly sense?: string;
}

/** Questions to the gateways together. Each rejects when they cannot be asked. */
export interface SharedAsks {
  /** The unit is to be served by the gateway whose group this is. @returns whether it is, after a while */
  moveTo(group: number): Promise<boolean>;
  relay(command: RelayedCommand): Promise<RelayedCompletion>;
  /** The reservations that gateways share, as they are now. */
  reservations(): Promise<unknown>;
  /** Puts down what gateways share of reservations. Resolves when it is durable. */
  keepReservations(kept: object): Promise<void>;
}

/** The knowledge of a gateway about a unit that it shares. */
export interface SharedUnit {
  readonly standing: SharedStanding;
  /** A target port group for each gateway, and which is ours. */
  readonly groups: readonly AluaGroup[];
  readonly own: number;
  /** The time by the clock up to which the unit is served, unless a later one is told; absent: its medium keeps us away by itself. */
  readonly until: number | undefined;
  readonly now: () => number;
  readonly ask: SharedAsks;
}

/** The numbers that one gateway can give begin behind those of the gateway before it. */
const numbersOfGateway = 0x1000;

/**
 * A number of the tree as initiators see it behind a gateway. A relative target port identifier, which is never 0, tells all ports of a
 * target from one another (SPC-4 7.8.14), and so does a portal group tag its portal groups, each of which is in one machine
 * (RFC 7143 4.4.1). Without gateways and behind the first one the numbers are the tree's, up to 4095.
 */
export function numberBehind(number: number, gateway: number | undefined): number {
  if (gateway === undefined) return number;
  const own = number === 0 ? 0 : ((number - 1) % (numbersOfGateway - 1)) + 1;
  return own + Math.max(0, gateway - 1) * numbersOfGateway;
}

/** How the unit stands now: what has a limit ends by itself. */
export function standingNow({ standing, until, now }: SharedUnit): SharedStanding {
  return standing === 'active' && until !== undefined && now() >= until ? 'standby' : standing;
}
