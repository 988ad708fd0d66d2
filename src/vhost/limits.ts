/** The limits of vhost, each with its unit: on all that a front-end can make us keep, map or wait for. */

/** The queues of a device: control, events, and those for commands, of which a guest mostly has one for each processor. */
export const queuesMax = 2 + 128;

/** The descriptors of a queue; each command has one at least. */
export const queueSizeMax = 1024;

/** The regions of a guest's memory, where they are told one by one. */
export const memorySlotsMax = 64;

/** The commands of one queue that are begun in one go; other queues, and all other work of the loop, come in between. */
export const commandsAtOnceMax = 64;

/** The bytes of one device's data-out in our own memory; system/memory-budget.ts limits all devices together. */
export const deviceBytesMax = 64 * 1024 * 1024;

/** The number of pieces from which short ones are moved by one call; fewer, or longer ones, are moved one by one. */
export const scatteredPiecesMin = 4;
export const scatteredPieceBytesMax = 32 * 1024;

/** The time that a front-end may take to send the rest of a message. */
export const messageMs = 10_000;

/** The events that are kept for a guest that has no buffer for them; events beyond are told as missed. */
export const eventsMax = 64;
