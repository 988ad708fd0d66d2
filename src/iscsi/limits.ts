/**
 * The limits of this transport, each with its unit (law 6 of docs/architecture.md): on all that an initiator can make the target keep,
 * wait for or send.
 */

/** The longest data segment that the target takes or sends. */
export const segmentBytesMax = 256 * 1024;

/** The longest data segment before login has ended: nobody has declared a longer one by then (RFC 7143 13.12). */
export const loginSegmentBytesMax = 8192;

/** The limits of one login: requests, bytes of text in a row of C bits, pairs in one text. */
export const loginRequestsMax = 64;
export const textBytesMax = 64 * 1024;
export const textPairsMax = 256;

/**
 * The limits of open connections in one event loop: all; those that have not logged in; those from one address. A connection beyond takes
 * the place of the oldest that has not logged in. The last limit is that of one session.
 */
export const connectionsMax = 4096;
export const strangersMax = 1024;
export const addressStrangersMax = 256;
export const sessionConnectionsMax = 8;

/** The number of immediate SCSI commands, and of task management requests, in flight in one connection: outside the window. */
export const immediateTasksMax = 16;

/** The data-out that one session may have in memory before further writes wait; system/memory-budget.ts limits all sessions together. */
export const writeBytesMax = 64 * 1024 * 1024;

/**
 * The speed of data-out below which, for longer than an initiator's dataout_timeout allows, it counts as not coming: it keeps memory that
 * others wait for.
 */
export const dataOutBytesPerSecondMin = 4096;

/** The data-in that is read before it can be sent, a piece of a command at a time, when the volume has to be waited for. */
export const readAheadBytes = 1024 * 1024;

/** The bounds of output that is handed to the socket before the end of a batch of input, when most of a batch has gathered. */
export const flushBytesMin = 64 * 1024;
export const flushBytesMax = 256 * 1024;

/** The size below which data of a volume in memory is copied sooner than sent from its place. */
export const lentBytesMin = 4096;

/** The size of a receive buffer, the number that is kept, and the size from which data goes to its own place without one. */
export const receiveBytes = 256 * 1024;
export const receiveBuffersKept = 16;
export const directBytesMin = 32 * 1024;

/** The time that an initiator may take to log out when asked; its commands under way are served meanwhile. */
export const logoutSeconds = 3;

/** The time that a connection may take to send its last bytes before it is cut. */
export const closingMs = 2000;

/** The time between two looks at the clocks of all connections. */
export const tickMs = 1000;

/** The time that a discovery session may be silent. */
export const discoveryIdleMs = 10 * 60 * 1000;

/** The bytes of free buffers for data-out that are kept, in all. */
export const pooledBytesMax = 32 * 1024 * 1024;
