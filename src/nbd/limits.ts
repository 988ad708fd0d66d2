/** Every limit of the NBD server, with its unit: what a client can make us keep or wait for. */

/** Connections to the exports of one target. */
export const connectionsMax = 64;

/** How long a client may take to choose an export, and how many options it may send until then. */
export const negotiationMs = 30_000;
/** Options of one client. */
export const optionsMax = 1024;
/** Bytes of data of one option; a longer one is passed over. */
export const optionBytesMax = 64 * 1024;

/**
 * Requests in flight on one connection, and bytes of data that they may have in memory; further ones are not read. All
 * together: system/memory-budget.ts.
 */
export const requestsMax = 128;
/** Bytes of data that they may have. */
export const requestBytesMax = 64 * 1024 * 1024;

/** How long a client may take nothing of its answers while another waits for the memory that they are in. */
export const unreadMs = 10_000;

/** Extents in one answer to BLOCK STATUS. */
export const extentsMax = 256;

/** A command that a reset or a unit attention ended is sent again this often: as many as a nexus can have pending, and some. */
export const attemptsMax = 32;
