/** The log of the engine: records, never text with secrets in it. The program decides where they go. */

/** From the weightiest on. */
export const logLevels = ['error', 'warning', 'info', 'debug'] as const;
export type LogLevel = (typeof logLevels)[number];

/** One kind of thing that is logged. */
interface LogEventRow {
  readonly level: LogLevel;
  /** The event in words for a reader of the log who did not write the program. */
  readonly doc: string;
}

/** Everything that is logged, by the few words that it is logged under: they stay the same, and docs/log.md lists them. */
export const logEvents = {
  'log records left out': {
    level: 'warning',
    doc: 'The main thread took nothing for a while, and more was logged meanwhile than is kept: `count` records of that `level` were not written.',
  },
  'internal error': { level: 'error', doc: 'A bug of tcli: `where`, and its `stack`. The process goes on. Report it.' },
  'loop ended': {
    level: 'error',
    doc: 'A thread that does I/O has ended; another one takes its place, and initiators come back to it.',
  },
  'gateway on standby': {
    level: 'error',
    doc: 'This gateway cannot follow what others of its cluster have changed: it changes nothing any more, and goes on with what it has. `reason`; mostly, another gateway is of a newer version.',
  },
  'cluster does not answer': {
    level: 'error',
    doc: 'etcd does not answer: the configuration cannot be changed until it does. Said once.',
  },
  'cluster answers again': { level: 'info', doc: 'etcd answers again, and the configuration can be changed.' },
  'journal behind the cluster': {
    level: 'error',
    doc: 'A change is made and in etcd, and could not be written to the journal; that is made anew with the next change, or at the next start.',
  },
  'contents lost': {
    level: 'error',
    doc: 'A ramdisk has lost what it held, with the thread that served it: it is not served until an operator reopens it, empty.',
  },
  'connection lost': {
    level: 'error',
    doc: 'A new connection could not be handed to the loop that serves its target, and was closed.',
  },
  'stopped by force': {
    level: 'error',
    doc: 'Something did not end in time when the process was to stop: it ended all the same.',
  },
  'medium error': {
    level: 'error',
    doc: 'A read, write or flush of a volume failed; the initiator was told. Look at the file, the device or the server behind it.',
  },
  'medium does not answer': {
    level: 'error',
    doc: 'A medium has had commands for more than 10 seconds. Said once, until all of them are answered; `status` goes on saying it. Look at the file, the device or the engine behind it.',
  },
  'medium answers again': {
    level: 'info',
    doc: 'A medium has no commands any more that it has had for long.',
  },
  'writes may be lost': {
    level: 'error',
    doc: 'Writes that were acknowledged may not be on the medium; flushes fail until they are written again, or an operator reopens the medium.',
  },
  'record of lost writes not kept': {
    level: 'error',
    doc: 'That writes may be lost could not be written down: after a restart nothing will know of it.',
  },
  'record of lost writes lost': {
    level: 'error',
    doc: 'What was written down of lost writes cannot be read; it stays in the file `keptIn`.',
  },
  'no writes are missing any more': {
    level: 'info',
    doc: 'What may have been lost was written again and flushed, or given up by the operator.',
  },
  'record of claims lost': {
    level: 'error',
    doc: 'As whom an earlier process had an image in Ceph cannot be read: its lock is free when the cluster takes it for dead, after 30 s; the file is `keptIn`.',
  },
  'size not followed': {
    level: 'error',
    doc: 'A medium has another size by itself, and its storage object could not take it.',
  },
  'shared reservations damaged': {
    level: 'error',
    doc: 'What the store of the cluster holds of the persistent reservations of a storage object cannot be read.',
  },
  'unit taken': { level: 'info', doc: 'This gateway of a cluster serves a logical unit from now on.' },
  'unit given': { level: 'info', doc: 'This gateway of a cluster does not serve a logical unit any more.' },
  'unit not opened': {
    level: 'warning',
    doc: 'This gateway was to serve a logical unit, and its medium could not be opened.',
  },
  'owner record damaged': {
    level: 'error',
    doc: 'What the store of the cluster holds of a logical unit cannot be read: no gateway takes that unit.',
  },
  'gateway name taken': {
    level: 'error',
    doc: 'Another gateway of the cluster has the name of this one, and is alive.',
  },
  'reservations lost': {
    level: 'error',
    doc: 'The persistent reservations of a storage object could not be read at the start; it stays in the file `keptIn`.',
  },
  'medium work lost': {
    level: 'error',
    doc: 'That a format or sanitize was under way could not be read at the start; it stays in the file `keptIn`.',
  },
  'medium work resumed': { level: 'info', doc: 'A format or sanitize that the last process did not finish goes on.' },
  'configuration taken': {
    level: 'info',
    doc: 'The `file` of `serve --config` was read, at the start or again, and is what is served: it took so many `operations`.',
  },
  'configuration not taken': {
    level: 'error',
    doc: 'The file of `serve --config` was read again and could not be taken: what it said before is served. `reason` says why.',
  },
  'not restored': {
    level: 'warning',
    doc: 'A part of the saved configuration is not served: `what` says which and why. It stays in the file.',
  },
  'not served': {
    level: 'warning',
    doc: 'A volume, portal or LUN cannot be opened or bound: `what` says why. It is tried again.',
  },
  changed: {
    level: 'info',
    doc: 'The configuration was changed: `user` on `terminal`, or what `via` says, and the `line`. `tcli changes` has them all.',
  },
  'trial not taken back': {
    level: 'warning',
    doc: 'Nobody has confirmed a change on trial in time, and it could not be taken back: `reason`. It stays until somebody confirms it or takes back what stands on it.',
  },
  'served now': { level: 'info', doc: 'What could not be served before is.' },
  'no control socket': {
    level: 'warning',
    doc: 'The control socket could not be made: other invocations of tcli cannot speak to this process.',
  },
  'control socket not for the group': {
    level: 'warning',
    doc: 'The control socket could not be given to the group of `--group`.',
  },
  'control client refused': {
    level: 'warning',
    doc: 'Who connected to the control socket is not allowed to.',
  },
  'control client dropped': {
    level: 'warning',
    doc: 'A client broke the protocol of the control socket, left its answers unread, or was idle the longest of too many.',
  },
  'no metrics': { level: 'warning', doc: 'The address of `--metrics` could not be bound; everything else is served.' },
  'iscsi portal not served': {
    level: 'warning',
    doc: 'The address of a portal could not be bound. It is tried again.',
  },
  'inherited socket': { level: 'info', doc: 'A socket that systemd opened is used for the portals with its address.' },
  'inherited socket not used': { level: 'warning', doc: 'A socket that systemd opened is of no use: `reason`.' },
  'iscsi portal drains': {
    level: 'info',
    doc: 'A portal is drained: nobody logs in through it any more, and those `connections` were asked to log out.',
  },
  'iscsi portal drained': { level: 'info', doc: 'Nobody who came through a drained portal is here, or here any more.' },
  'iscsi login': { level: 'info', doc: 'An initiator has logged in.' },
  'iscsi old secret used': {
    level: 'info',
    doc: 'An initiator has proved itself by a secret of `owner` that was renewed since, and is still taken.',
  },
  'iscsi login redirected': {
    level: 'info',
    doc: 'An initiator was sent to another portal, as the attribute `redirect` of its TPG or `drain` of the portal says.',
  },
  'iscsi login refused': { level: 'warning', doc: 'An initiator was not let in: `reason`.' },
  'iscsi reject': { level: 'debug', doc: 'A PDU was answered with Reject: its reason code and opcode.' },
  'iscsi connection closed': { level: 'info', doc: 'A connection has ended: `reason`.' },
  'iscsi connection refused': {
    level: 'warning',
    doc: 'There are as many connections as this process takes, or it has no descriptors left for more.',
  },
  'iscsi connection dropped': {
    level: 'warning',
    doc: 'A connection that had not logged in made room for a newer one.',
  },
  'iscsi connection came too late': {
    level: 'info',
    doc: 'The target was gone when the connection reached the loop that serves it.',
  },
  'tgtadm request refused': {
    level: 'info',
    doc: "A request over tgtd's management socket was refused: `mode` and `op` of it, and `reason`, which tgtadm does not say.",
  },
  'local target not served': { level: 'warning', doc: "A loopback target's socket could not be made." },
  'local device': {
    level: 'warning',
    doc: 'A block device for a loopback LUN could not be attached or let go: `problem`.',
  },
  'nbd connection refused': { level: 'warning', doc: 'There are as many clients of a loopback target as it takes.' },
  'vhost target not served': { level: 'warning', doc: "A vhost target's socket could not be made: `problem`." },
  'vhost front-end': { level: 'info', doc: 'A virtual machine monitor has connected to the socket of a vhost target.' },
  'vhost front-end gone': { level: 'info', doc: 'A virtual machine has gone from its vhost target: `reason`.' },
  'vhost front-end refused': {
    level: 'warning',
    doc: 'A second virtual machine wanted a vhost target: it has one, or the one before is not done yet.',
  },
  'vhost front-end dropped': {
    level: 'warning',
    doc: 'A virtual machine monitor, or its guest, did what vhost-user or virtio does not allow: `reason`.',
  },
  'nbd connection failed': { level: 'error', doc: "A connection to a loopback target's socket failed." },
} as const satisfies Readonly<Record<string, LogEventRow>>;

/** The words of an event at its level, or at any. */
export type LogEvent<L extends LogLevel = LogLevel> = {
  [E in keyof typeof logEvents]: (typeof logEvents)[E]['level'] extends L ? E : never;
}[keyof typeof logEvents];

/** One thing that is logged: an event of the table, and the details that it has. */
export type LogRecord = {
  [L in LogLevel]: {
    /** The level of the event's row: a wrong one does not compile. */
    readonly level: L;
    readonly event: LogEvent<L>;
    /** The particulars: names, addresses, reasons. */
    readonly detail?: Readonly<Record<string, string | number | boolean>>;
  };
}[LogLevel];

/** Takes log records. */
export type Log = (record: LogRecord) => void;

/** A bug of ours: logged with its stack; the process goes on. */
export function logBug(log: Log, where: string, error: unknown): void {
  log({
    level: 'error',
    event: 'internal error',
    detail: { where, stack: error instanceof Error ? (error.stack ?? error.message) : String(error) },
  });
}
