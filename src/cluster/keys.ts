/** The keys of the store: all of a cluster below one prefix, `/tcli/CLUSTER/`. */

/** The name of a cluster, of a gateway: what can be part of a key, a file name and a line. */
export const clusterName = /^[a-zA-Z0-9][\w.-]{0,62}$/;

/** Digits of a number in a key: keys are in the order of their text. */
const numberDigits = 16;
const numbered = (number: number): string => String(number).padStart(numberDigits, '0');

/** The keys of one cluster. */
export const clusterKeys = (cluster: string) => {
  const all = `/tcli/${cluster}/`;
  return {
    all,
    /** `{"format":1,"id":…,"changes":N}`: which cluster it is, and how many changes were made. Whoever makes one compares and swaps it. */
    head: `${all}tree/head`,
    /** All changes that no snapshot holds. */
    changes: `${all}tree/changes/`,
    /** One change: a line as in the journal. */
    change: (number: number) => `${all}tree/changes/${numbered(number)}`,
    /** Which snapshot there is: `{"changes":N,"pieces":…,"digest":…}`. */
    snapshot: `${all}tree/snapshot`,
    /** The pieces of a text that is too large for one value, by its digest. */
    pieces: (digest: string) => `${all}tree/pieces/${digest}/`,
    /** Gateways that have joined. */
    gateways: `${all}gateways/`,
    gateway: (name: string) => `${all}gateways/${name}`,
    /** Gateways that are up: each key goes with the lease of its gateway. */
    alive: `${all}alive/`,
    aliveGateway: (name: string) => `${all}alive/${name}`,
    /** The records of the logical unit with this serial number: its owner, its reservations. */
    units: `${all}units/`,
    unit: (serial: string) => `${all}units/${serial}/`,
  };
};

/** All keys of one cluster, by what stands there. */
export type ClusterKeys = ReturnType<typeof clusterKeys>;

/** The number in a key of a change. */
export const numberIn = (key: string): number => Number(key.slice(key.lastIndexOf('/') + 1));
