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
  /** The session's with this connection's own digests and lengths. */
  parameters: NegotiatedParameters;
  /** The session; there is none before the end of login. */
  readonly session: Session | undefined;
  readonly closed: boolean;
  /** The host's clock at the ping that nothing has come after. */
  readonly pingedAt: number | undefined;
  /** Immediate task management requests that are not answered yet. */
  managing: number;
  /** Whether data may go to a medium before all of a command's data has come. */
  readonly lands: boolean;
  /** Rejects the PDU whose header stands at `start` (RFC 7143 11.17). */
  reject(reason: number, bytes: Uint8Array, start: number): undefined;
  /** Takes a Text Request with its data. */
  exchangeText(header: Uint8Array, data: Uint8Array): void;
  /** Makes the connection part of a session. */
  join(session: Session, loggedIn: Pick<LoggedIn<Session>, 'cid' | 'parameters'>): void;
  /** The last Login Response is written: digests and all other requests begin (RFC 7143 6.3). */
  enterFullFeature(): void;
  /** Gives the connection to where `tpg` is served. */
  leave(tpg: Tpg): void;
  /** Takes nothing new. @returns when what was under way has stopped */
  beginLogout(): Promise<void>;
  /** The Logout Response is written. */
  endLogout(): void;
  /** Ends the connection for what was thrown. */
  fail(error: unknown): void;
}
