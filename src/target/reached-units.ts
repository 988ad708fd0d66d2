/** The logical units that one initiator reaches through a TPG: the answer of access about each LUN is kept until the tree changes. */

import type { LogicalUnitView } from '../scsi/logical-unit.ts';
import { lunBehind, viewOf } from './access.ts';
import type { NodeAcl, Tpg } from './target.ts';
import type { Traffic } from './traffic.ts';

/** A LUN as commands through one portal reach it. */
export interface ReachedUnit {
  readonly view: LogicalUnitView;
  /** The counts of its commands, besides the session's own traffic. */
  readonly traffic: Traffic | undefined;
}

/** The logical units that an initiator reaches, by LUN. */
export class ReachedUnits {
  readonly #tpg: Tpg | undefined;
  readonly #acl: NodeAcl | undefined;
  readonly #views = new Map<number, LogicalUnitView>();
  readonly #byPortal = new Map<string, Map<number, ReachedUnit>>();

  /** @param tpg undefined in discovery, where no unit is reached */
  constructor(tpg: Tpg | undefined, acl: NodeAcl | undefined) {
    this.#tpg = tpg;
    this.#acl = acl;
  }

  /** The logical unit behind a LUN, whichever portal is used. */
  view(lun: number): LogicalUnitView | undefined {
    const known = this.#views.get(lun);
    if (known || !this.#tpg) return known;
    const view = viewOf(this.#tpg, this.#acl, lun);
    if (view) this.#views.set(lun, view);
    return view;
  }

  /** The LUNs that are reached through a portal, so far; the map stays the same one. */
  knownThrough(portal = ''): ReadonlyMap<number, ReachedUnit> {
    return this.#through(portal);
  }

  #through(portal: string): Map<number, ReachedUnit> {
    const known = this.#byPortal.get(portal);
    if (known) return known;
    const units = new Map<number, ReachedUnit>();
    this.#byPortal.set(portal, units);
    return units;
  }

  /** A LUN as it is reached through a portal. */
  reach(number: number, portal = ''): ReachedUnit | undefined {
    const units = this.#through(portal);
    const known = units.get(number);
    if (known) return known;
    const view = this.view(number);
    if (!view || !this.#tpg) return undefined;
    const way = { initiator: this.#acl?.wwn ?? '', number, portal };
    const unit = { view, traffic: lunBehind(this.#tpg, this.#acl, number)?.ways.trafficOf(way) };
    units.set(number, unit);
    return unit;
  }

  /** Forgets all answers, because the tree has changed. */
  forget(): void {
    this.#views.clear();
    for (const units of this.#byPortal.values()) units.clear();
  }
}
