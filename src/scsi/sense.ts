/** Sense by name: key, additional code and qualifier (SPC-4 4.5, annex of ASC/ASCQ assignments). */

export interface Sense {
  readonly key: number;
  readonly asc: number;
  readonly ascq: number;
}
