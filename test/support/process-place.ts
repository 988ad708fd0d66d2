/** The place where programs run: this machine, or a namespace that stands for another one. */

export interface ProcessPlace {
  readonly address: string;
  /** Words before every command line: it runs elsewhere. */
  readonly within: readonly string[];
}

export const thisMachine: ProcessPlace = { address: '127.0.0.1', within: [] };
