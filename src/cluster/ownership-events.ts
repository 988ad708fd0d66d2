/** Events of the ownership of a unit, and the actions that follow: the two sides of `ownership.ts`. */

import type { Gateways, MoveWish, OwnerRecord, OwnerStanding, Party, SeenRecord } from './owner-record.ts';

/** The reason for which a record is written. */
export type CommitReason = 'claim' | 'name' | 'serve' | 'give';

/** An event. */
export type OwnershipEvent =
  /** @param fresh it was read after we have asked for that; otherwise it may be what once was there */
  | ({ readonly is: 'seen'; readonly fresh: boolean } & SeenRecord)
  /** The record that we have asked for could not be read; some time has passed since. */
  | { readonly is: 'not read' }
  | ({ readonly is: 'gateways' } & Gateways)
  /** Our lease is good until then, by our monotonic clock. */
  | { readonly is: 'lease'; readonly until: number }
  | { readonly is: 'wish'; readonly wish: MoveWish | undefined }
  | { readonly is: 'written'; readonly outcome: 'done'; readonly revision: number }
  /** Another record was there, the party that was to be gone is not, or we have no lease; or nobody knows. */
  | { readonly is: 'written'; readonly outcome: 'refused' | 'unknown' }
  /** The medium waits for us to write down as whom we come. */
  | { readonly is: 'comes'; readonly client: string }
  | { readonly is: 'opened' }
  /** @param clean nothing of us is left at the medium */
  | { readonly is: 'not opened'; readonly clean: boolean }
  | { readonly is: 'closed'; readonly clean: boolean }
  /** The medium is not ours any more. */
  | { readonly is: 'lost' }
  /** This process ends, or serves the unit no more. */
  | { readonly is: 'leave' }
  | { readonly is: 'tick' };

/** An action. */
export type OwnershipAction =
  | {
      readonly does: 'write';
      readonly why: CommitReason;
      readonly record: OwnerRecord;
      /** That of the record in whose place it comes. */
      readonly over: number;
      /** The party that must not be alive when the record is written. */
      readonly gone?: Party;
    }
  | { readonly does: 'read' }
  /** The wish of an initiator comes too soon after others: whoever waits for it is to know. */
  | { readonly does: 'refuse wish' }
  /** @param shutOut clients that the medium must not hear any more once we have it */
  | { readonly does: 'open'; readonly shutOut: readonly string[] }
  /** The medium may have us, or may not. */
  | { readonly does: 'admit'; readonly client: string; readonly may: boolean }
  /** @param clean flushed first; otherwise what is not flushed is dropped */
  | { readonly does: 'close'; readonly clean: boolean }
  /** @param unplanned said once, with the first `active`: an owner before this one did not close the medium, and its write cache may be lost */
  | { readonly does: 'stand'; readonly standing: OwnerStanding; readonly unplanned: boolean };
