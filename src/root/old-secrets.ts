/** The use of old secrets, which are taken beside their successors for a while: `why` and `doctor` tell who still has one. */

import type { LogRecord } from '../log.ts';
import type { Operation } from '../operations/operation.ts';
import { type Auth, hasCredentials, takesOld, untilTold } from '../target/auth.ts';

/** The last use of an old secret. Plain data. */
export interface OldSecretUse {
  readonly initiator: string;
  /** ISO 8601, UTC. */
  readonly at: string;
}

/** The last use of each old secret since this process began. */
export class OldSecretUses {
  /** The uses by the object that the secret belongs to, as log records name it. */
  readonly #last = new Map<string, OldSecretUse>();

  /** Notes the use that a log record tells of. */
  note({ event, detail = {} }: LogRecord, now: Date): void {
    if (event !== 'iscsi old secret used') return;
    this.#last.set(String(detail['owner']), { initiator: String(detail['initiator']), at: now.toISOString() });
  }

  /** Forgets the uses of secrets that are not the old ones any more. */
  changed(operations: readonly Operation[]): void {
    for (const { path, verb, params } of operations) {
      const { group, name } = params;
      if (verb === 'set' && name === 'old_password') this.#last.delete(group === 'auth' ? path : String(group));
    }
  }

  /** Says until when an old secret is taken, and who used it last; undefined: there is none. @param owner the object that has the words */
  describe(owner: string, auth: Auth, date: number): string | undefined {
    // Without a name there is no account, so that the old secret lets nobody in either.
    if (!hasCredentials(auth) || !takesOld(auth, date)) return undefined;
    const end = auth.old_until === untilTold ? 'until somebody ends it' : `until ${auth.old_until}`;
    const use = this.#last.get(owner);
    const used = use ? `${use.initiator} used it last, at ${use.at}` : 'nobody has used it since this process began';
    return `the old secret of ${owner} is still taken ${end}; ${used}`;
  }
}
