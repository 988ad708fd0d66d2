/**
 * A connection as its parts see it: the login phase, the transfer of commands, the requests and the clocks. The parts import
 * this file and never the connection that is made of them.
 */

import type { Tpg } from '../target/target.ts';
import type { Owner } from './command.ts';
import type { ConnectionHost } from './host.ts';
import type { NegotiatedParameters } from './keys.ts';
import type { LoggedIn } from './login.ts';
import type { Output } from './output.ts';
import type { Member, Session } from './session.ts';

export interface Link extends Member, Owner {
  readonly host: ConnectionHost;
  readonly output: Output;
  /** The parameters of the session, with this connection's own digests and lengths. */
  parameters: NegotiatedParameters;
  /** The session; there is none before the end of login. */
  readonly session: Session | undefined;
  readonly closed: boolean;
  /** The host's clock at a ping that is not answered yet. */
  readonly pingedAt: number | undefined;
  /** Immediate task management requests that are not answered yet. */
  managing: number;
  /** Whether data may go to a medium before all of a command's data has come. */
  readonly lands: boolean;
  /** Rejects the PDU whose header stands at `start` (RFC 7143 11.17). */
  reject(reason: number, bytes: Uint8Array, start: number): undefined;
  /** Takes a Text Request with its data. */
  exchangeText(header: Uint8Array, data: Uint8Array): void;
  /** Joins a session. */
  join(session: Session, loggedIn: Pick<LoggedIn<Session>, 'cid' | 'parameters'>): void;
  /** Enters full feature phase (RFC 7143 6.3) once the last Login Response is written: digests and all other requests begin. */
  enterFullFeature(): void;
  /** Gives the connection to the loop that serves `tpg`. */
  leave(tpg: Tpg): void;
  /** Takes no new requests. @returns when those under way have stopped */
  beginLogout(): Promise<void>;
  /** Ends a logout, whose response is written. */
  endLogout(): void;
  /** Ends the connection because of `error`. */
  fail(error: unknown): void;
}
