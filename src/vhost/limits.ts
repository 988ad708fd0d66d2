/** Every limit of vhost, with its unit: what a front-end can make us keep, map or wait for. */

/** Queues of a device: control, events, and those for commands, of which a guest mostly has one for each processor. */
export const queuesMax = 2 + 128;

/** Descriptors of a queue; each command has one at least. */
export const queueSizeMax = 1024;

/** Regions of a guest's memory, where they are told one by one. */
export const memorySlotsMax = 64;

/** Commands of one queue that are begun in one go; other queues, and all else in the loop, come in between. */
export const commandsAtOnceMax = 64;

/** Data-out of one device that is in our own memory; all together: system/memory-budget.ts. */
export const deviceBytesMax = 64 * 1024 * 1024;

/** Fewer pieces than this, or longer ones, are read and written one by one. */
export const scatteredPiecesMin = 4;
export const scatteredPieceBytesMax = 32 * 1024;

/** How long a front-end may take to send the rest of a message. */
export const messageMs = 10_000;

/** Events that are kept for a guest that has no buffer for them; what is beyond is told as missed. */
export const eventsMax = 64;
