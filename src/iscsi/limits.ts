/** Every limit of this transport, with its unit (law 6 of docs/architecture.md): what an initiator can make us keep, wait for or send. */

/** Longest data segment that we take or send. */
export const segmentBytesMax = 256 * 1024;

/** Longest data segment before login has ended: nobody has declared a longer one by then (RFC 7143 13.12). */
export const loginSegmentBytesMax = 8192;

/** One login: requests, bytes of text in a row of C bits, pairs in one text. */
export const loginRequestsMax = 64;
export const textBytesMax = 64 * 1024;
export const textPairsMax = 256;

/**
 * Connections that are open in one event loop, and those of them that have not logged in: in all, and from one address. One
 * that comes beyond that takes the place of the oldest that has not logged in. Then those of one session.
 */
export const connectionsMax = 4096;
export const strangersMax = 1024;
export const addressStrangersMax = 256;
export const sessionConnectionsMax = 8;

/** Immediate SCSI commands, and as many task management requests, in flight in one connection: outside the window. */
export const immediateTasksMax = 16;

/** Data-out that one session may have in memory before further writes wait for it; all together: system/memory-budget.ts. */
export const writeBytesMax = 64 * 1024 * 1024;

/**
 * Data-out that was asked for and comes more slowly, for longer than an initiator's dataout_timeout allows, has not come: it
 * keeps memory that others wait for.
 */
export const dataOutBytesPerSecondMin = 4096;

/** Data-in that is read before it can be sent, a piece of a command at a time, when the volume has to be waited for. */
export const readAheadBytes = 1024 * 1024;

/** Output is handed to the socket when most of a batch has gathered, within these bounds, or at the end of a batch of input. */
export const flushBytesMin = 64 * 1024;
export const flushBytesMax = 256 * 1024;

/** Less of a volume that lies in memory is copied sooner than it is sent from its place. */
export const lentBytesMin = 4096;

/** What a socket is read into, and how many are kept; data of at least `directBytesMin` goes to its own place without it. */
export const receiveBytes = 256 * 1024;
export const receiveBuffersKept = 16;
export const directBytesMin = 32 * 1024;

/** How long an initiator that is asked to log out may take; what it has under way is served meanwhile. */
export const logoutSeconds = 3;

/** How long a connection may take to say its last words before it is cut. */
export const closingMs = 2000;

/** Time between two looks at the clocks of all connections. */
export const tickMs = 1000;

/** How long a discovery session may be silent. */
export const discoveryIdleMs = 10 * 60 * 1000;

/** Free buffers for data-out that are kept, in all. */
export const pooledBytesMax = 32 * 1024 * 1024;
