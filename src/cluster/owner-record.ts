/** The words of ownership: who owns a unit, as the store holds it, and as its gateways speak of it. */

/** A process of a gateway: a gateway that was started again is another party. */
export interface Party {
  readonly gateway: string;
  readonly process: string;
}

/** As whom an earlier owner came to the medium: shut out there until its process is known to be dead. */
export interface FormerClient extends Party {
  readonly client: string;
}

/** The owner of a unit, as the store holds it. Plain data. */
export interface OwnerRecord {
  readonly epoch: number;
  /** Null: the last owner has closed the medium, and nobody has it. */
  readonly owner: Party | null;
  /** As whom the owner comes to the medium; null: it has not come to it, or the medium has no such names. */
  readonly client: string | null;
  /** The owner answers. */
  readonly serves: boolean;
  /** To whom the last owner gave it. */
  readonly next: string | null;
  /** The last owner could not close the medium: what lay in a write cache may be lost. */
  readonly unclean: boolean;
  readonly former: readonly FormerClient[];
  /** How long ago initiators have moved it, in milliseconds, when this was written. */
  readonly moved: readonly number[];
}

/** A record, or none yet, and the store's revision of it: 0 of none. */
export interface SeenRecord {
  readonly record: OwnerRecord | undefined;
  readonly revision: number;
}

/** Gateways that are alive, and those of them that may own the unit, the first choice first. */
export interface Gateways {
  /** The process of each, by its name. */
  readonly alive: ReadonlyMap<string, string>;
  readonly choice: readonly string[];
}

/** Somebody wants the unit to be at another gateway. */
export interface MoveWish {
  readonly to: string;
  readonly by: 'operator' | 'initiator';
}

/** How the unit is served here: `alone` without the store, so that nothing that gateways share can change. */
export type OwnerStanding = 'active' | 'alone' | 'transition' | 'standby';

/** Whether two parties are the same process. */
export const isSame = (a: Party | null | undefined, b: Party): boolean =>
  a?.gateway === b.gateway && a.process === b.process;
