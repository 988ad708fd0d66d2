/**
 * The name by which this process has a medium that others can reach, too, and only one may write to (`Claim`). The name is stored before
 * the medium is opened, so that the next process after a crash knows it, and need not wait until others take it for dead.
 */

import type { Claim } from '../backstore/backstore.ts';
import { isThreadAlive, type ThreadName, thisThread } from '../system/thread.ts';
import type { StorageObject } from './logical-unit.ts';
import { unitState } from './unit-state.ts';

/** A client, and the thread that has it, or had. */
interface ClaimedBy {
  readonly client: string;
  readonly thread: ThreadName;
}

interface KeptClaims {
  readonly claims: readonly ClaimedBy[];
}

interface Claims extends KeptClaims {
  /** The holder that the next opening may shut out although it lives. */
  readonly over: string | undefined;
}

const name = 'claims';

const claims = unitState<Claims, Claims, KeptClaims>({
  name,
  initial: () => ({ claims: [], over: undefined }),
  move: 'all',
  keep: {
    folder: 'claims',
    lostEvent: 'record of claims lost',
    parse: parseClaims,
    restore: (_lu, kept) => kept,
  },
});

/** The claim with which a unit's medium is opened. An operator's word about a holder that is shut out holds for this once. */
export function claimOf(lu: StorageObject): Claim {
  const { claims: before, over } = claims.of(lu);
  claims.set(lu, { over: undefined });
  const gone = before.filter(({ thread }) => !isThreadAlive(thread));
  return {
    earlier: gone.map(({ client }) => client),
    ...(over !== undefined && { over }),
    async keep(client) {
      const mine = thisThread();
      const others = claims.of(lu).claims.filter(({ thread }) => thread.number !== mine.number);
      // Once we have it, nothing is left of those that are gone.
      const stays = client === undefined ? others.filter((one) => !gone.includes(one)) : others;
      const now = client === undefined ? stays : [...stays, { client, thread: mine }];
      claims.set(lu, { claims: now });
      await lu.keep?.(name, now.length > 0 ? ({ claims: now } satisfies KeptClaims) : undefined);
    },
  };
}

/** The next opening of the unit's medium may shut out a holder that lives: this client, or `anybody`. */
export function claimOver(lu: StorageObject, client: string): void {
  claims.set(lu, { over: client });
}

/** @throws Error when it is none */
function parseClaims(kept: unknown): KeptClaims {
  const { claims: found } = (kept ?? {}) as Record<string, unknown>;
  const isClaim = (one: Partial<ClaimedBy> | null) =>
    typeof one?.client === 'string' && typeof one.thread?.number === 'number' && typeof one.thread.since === 'string';
  if (!Array.isArray(found) || !found.every(isClaim)) throw new Error('it does not say who has the medium');
  return { claims: found };
}
