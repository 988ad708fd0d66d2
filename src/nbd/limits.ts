/** The limits of the NBD server, each with its unit: on all that a client can make us keep or wait for. */

/** The connections to the exports of one target. */
export const connectionsMax = 64;

/** The time that a client may take to choose an export, and the number of options that it may send until then. */
export const negotiationMs = 30_000;
/** The options of one client. */
export const optionsMax = 1024;
/** The bytes of data of one option; a longer one is passed over. */
export const optionBytesMax = 64 * 1024;

/**
 * The requests in flight on one connection, and the bytes of data that they may have in memory; further requests are not read.
 * system/memory-budget.ts limits all connections together.
 */
export const requestsMax = 128;
/** The bytes of data that the requests of one connection may have. */
export const requestBytesMax = 64 * 1024 * 1024;
/** The same where the disk is limited, and requests may wait for long: beyond it one request at a time. */
export const limitedBytesMax = 1024 * 1024;

/** The time that a client may take nothing of its answers while another waits for the memory that they are in. */
export const unreadMs = 10_000;

/** The extents in one answer to BLOCK STATUS. */
export const extentsMax = 256;

/** The number of times that a command is sent again which a reset or a unit attention ended: as many as a nexus can have pending, and some. */
export const attemptsMax = 32;
