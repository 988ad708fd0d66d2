/**
 * Clocks of a connection that is logged in: silence, pings, data-out that stands still. Times are milliseconds of the host's clock. An
 * initiator that was not asked for anything is never late.
 */

import { aclAttributes } from './attributes.ts';
import { discoveryIdleMs } from './limits.ts';
import type { Link } from './link.ts';
import type { Session } from './session.ts';

/** An attribute of the session's ACL in milliseconds; demo-mode sessions have the defaults. */
const timeout = (session: Session, name: keyof typeof aclAttributes): number =>
  Number(session.acl?.attributes.values[name] ?? aclAttributes[name].default) * 1000;

/** The reason why the connection has to be given up, or undefined. */
export function lateness(connection: Link, session: Session): string | undefined {
  const now = connection.host.now();
  const silence = now - connection.now;
  if (session.type === 'Discovery') return silence > discoveryIdleMs ? 'an idle discovery session' : undefined;
  const pingAfter = timeout(session, 'nopin_timeout');
  const patienceWithAnswers = timeout(session, 'nopin_response_timeout');
  const { pingedAt } = connection;
  if (pingedAt !== undefined && now - pingedAt >= patienceWithAnswers) return 'no answer to a ping';
  // While the socket is not read, nothing can come, so only output that the initiator does not take counts.
  if (connection.output.blocked)
    return pingAfter > 0 && silence >= pingAfter + patienceWithAnswers ? 'it does not read what it is sent' : undefined;
  const patience =
    timeout(session, 'dataout_timeout') *
    Number(session.acl?.attributes.values['dataout_timeout_retries'] ?? aclAttributes.dataout_timeout_retries.default);
  for (const command of session.commands)
    if (command.connection === connection && (command.unsolicited || command.requests.length > 0))
      if (now - command.movedAt > patience) return 'data-out did not come';
  return undefined;
}

/** Whether the connection has been silent for so long that a ping is due (ACL attribute nopin_timeout; 0: never). */
export function wantsPing(connection: Link, session: Session): boolean {
  const pingAfter = timeout(session, 'nopin_timeout');
  return session.type === 'Normal' && pingAfter > 0 && connection.host.now() - connection.now > pingAfter;
}
