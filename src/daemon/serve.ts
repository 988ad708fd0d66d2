/** The long-running process: it serves a home and its control socket until it is told to stop. */

import { inUse } from '../durable/holder.ts';
import type { Home } from '../durable/home.ts';
import { OperatorError, wholeReasonOf } from '../errors.ts';
import { type Log, logBug } from '../log.ts';
import type { Again } from '../loops/loop.ts';
import type { WorkerOptions } from '../loops/loops.ts';
import { placeOf } from '../operations/place.ts';
import type { Tree } from '../operations/tree.ts';
import { GivenConfiguration } from '../root/given.ts';
import { type Host, openHost } from '../root/host.ts';
import { groupNamed } from '../system/group.ts';
import { endProcess } from '../system/process.ts';
import { whenLate } from '../system/running-time.ts';
import type { ServiceManager } from '../system/systemd.ts';
import { tgtSocketOf } from '../tgt/protocol.ts';
import { type Control, type ControlOptions, type CreateSession, listenControl } from './control.ts';
import { type StartedBy, type Status, summary } from './control-protocol.ts';
import { countRepeats } from './repeats.ts';
import { problems } from './status.ts';

/** The time that a stop may take: sessions are told, open volumes are flushed. Then the process ends as after a crash. */
const stopMs = 20_000;

/** The interval at which volumes and portals that could not be opened are tried again. */
const retryMs = 5_000;

export interface ServeOptions {
  readonly home: Home;
  /** The words that it was started with: a restart repeats them. */
  readonly words: readonly string[];
  /** The version of the program. */
  readonly version: string;
  readonly log: Log;
  readonly startedBy: StartedBy;
  /** Creates a shell session for a client of the control socket. */
  readonly createSession: (host: Host) => CreateSession;
  /** Called once every portal is open. */
  readonly ready: (status: Status) => void;
  readonly stopped: AbortSignal;
  readonly manager: ServiceManager;
  /** The group whose members may control this process, by name or number. */
  readonly group?: string;
  /** The file that gives the configuration, a description or a saved configuration. Absent: the configuration is that of the home. */
  readonly config?: string;
  /** The time to wait for devices that are not there. */
  readonly waitMs?: number;
  /** The address of the metrics; absent: they are not served. */
  readonly metrics?: { readonly address: string; readonly port: number };
  /** The number of the tgtd whose management socket is served as well; absent: none. */
  readonly tgtadm?: number;
  /** The workers, as in `RootOptions`. */
  readonly workers?: WorkerOptions | undefined;
}

/**
 * Restores the home's configuration and serves it until `stopped` aborts, or a client says so.
 * @throws OperatorError when another process holds the home, or its configuration cannot be read
 */
export async function serve(options: ServeOptions): Promise<void> {
  const { stopped, manager } = options;
  const events = new Map<string, number>();
  const repeats = countRepeats(options.log);
  const group = groupOf(options);
  const { host, report } = await openServing(options, (record) => {
    const event = JSON.stringify({ level: record.level, event: record.event });
    events.set(event, (events.get(event) ?? 0) + 1);
    repeats.log(record);
  });
  const { log } = host;
  const asked = new AbortController();
  let ends: 'stop' | 'restart' = 'stop';
  const stop = (how: 'stop' | 'restart') => {
    ends = how;
    asked.abort();
  };
  const ending = AbortSignal.any([stopped, asked.signal]);
  const retry = (again: Again) => host.root.retry(again).then(report);
  // Without portals, nothing else keeps the process alive.
  const retrying = setInterval(() => void retry('when it is time'), retryMs);
  const release = attend(host, manager, () => retry('now'));
  // The service manager opened sockets for control and for portals; one by this name is for control.
  const inherited = manager.sockets.find(({ name }) => name === 'control');
  let control: Control | undefined;
  let closeOthers: (() => Promise<void>) | undefined;
  try {
    control = await openControl(host, options, { group, inherited: inherited?.fd, stop });
    closeOthers = await openOthers(host, options, { group, events, control, stop: () => asked.abort() });
    await host.start({
      givenUp: ending,
      sockets: manager.sockets.filter((socket) => socket !== inherited).map(({ fd }) => fd),
      ...(options.waitMs !== undefined && { waitMs: options.waitMs }),
    });
    const now = control.status();
    report();
    manager.notify('READY=1', `STATUS=${summary(now)}`);
    options.ready(now);
    await aborted(ending);
  } finally {
    manager.notify('STOPPING=1');
    control?.ending(ends);
    clearInterval(retrying);
    const inTime = whenLate(stopMs, () => {
      log({ level: 'error', event: 'stopped by force', detail: { afterMs: stopMs } });
      endProcess(1);
    });
    // The order matters: a client that asked for the end sees its connection close when all is done.
    await host.close();
    await closeOthers?.();
    await control?.close();
    inTime();
    release();
    repeats.flush();
  }
}

/** The number of the group that may control this process. @throws OperatorError when there is no such group */
function groupOf({ group }: ServeOptions): number | undefined {
  if (group === undefined) return undefined;
  const number = groupNamed(group);
  if (number === undefined) throw new OperatorError(`There is no group ${group}.`, `To make it: groupadd ${group}`);
  return number;
}

/**
 * Opens the home to serve it. @returns its host, and a function that logs which problems came and went
 * @throws OperatorError when another process holds the home
 */
async function openServing(options: ServeOptions, log: Log): Promise<{ host: Host; report: () => void }> {
  const { home, words, config, workers } = options;
  const given = config === undefined ? undefined : new GivenConfiguration(config);
  const host = await openHost({ home, role: 'serve', words, log, workers, given, looked: () => report() });
  const report = reporter(host);
  if (host.heldBy) {
    await host.close();
    const { message } = inUse(home, host.heldBy);
    throw new OperatorError(
      message,
      `Two processes cannot serve the same configuration. To take over: tcli daemon restart --force`,
    );
  }
  for (const warning of host.warnings) host.log({ level: 'warning', event: 'not restored', detail: { what: warning } });
  return { host, report };
}

/**
 * Attends to what the system wants of this process: signs of life, SIGHUP, and what becomes of a bug.
 * @param retry tries again what could not be opened
 * @returns a function that attends to it no longer
 */
function attend(host: Host, manager: ServiceManager, retry: () => Promise<void>): () => void {
  // A bug in one session costs a log line, and not the disks of all.
  const survive = (error: unknown) => logBug(host.log, 'process', error);
  const reload = () =>
    void readAgain(host)
      .then(retry)
      .then(() => manager.notify('READY=1', 'STATUS=Serving'));
  const watchdog = manager.watchdogMs && setInterval(() => manager.notify('WATCHDOG=1'), manager.watchdogMs / 2);
  process.on('uncaughtException', survive);
  process.on('unhandledRejection', survive);
  process.on('SIGHUP', reload);
  return () => {
    clearInterval(watchdog);
    process.off('SIGHUP', reload);
    process.off('uncaughtException', survive);
    process.off('unhandledRejection', survive);
  };
}

/** Opens the control socket, to `group` and on the `inherited` socket where there are such. @throws OperatorError where none can be made */
async function openControl(
  host: Host,
  options: ServeOptions,
  to: { group: number | undefined; inherited: number | undefined; stop: NonNullable<ControlOptions['stop']> },
): Promise<Control> {
  const control = await listenControl({
    host,
    role: 'serve',
    version: options.version,
    log: host.log,
    createSession: options.createSession(host),
    startedBy: options.startedBy,
    stop: to.stop,
    ...(to.group !== undefined && { group: to.group }),
    ...(to.inherited !== undefined && { inherited: to.inherited }),
  });
  if (!control.isBlocked) return control;
  await control.close();
  throw new OperatorError(
    `No control socket could be made in ${options.home.runDirectory}: ${control.problem}`,
    'Remove what stands there in its way, or choose another place with --home DIR.',
  );
}

/** Opens what is asked for beside control: the metrics, and the management socket of tgt. @returns a function that closes them */
async function openOthers(
  host: Host,
  { metrics, tgtadm }: ServeOptions,
  use: { group: number | undefined; events: ReadonlyMap<string, number>; control: Control; stop: () => void },
): Promise<() => Promise<void>> {
  const { log } = host;
  const { group, events, control, stop } = use;
  let closeMetrics: (() => Promise<void>) | undefined;
  if (metrics) {
    const { serveMetrics } = await import('./metrics.ts');
    closeMetrics = await serveMetrics({ host, log, at: metrics, status: () => control.status(), events });
  }
  if (tgtadm === undefined) return async () => closeMetrics?.();
  const { listenTgt } = await import('../tgt/server.ts');
  const path = tgtSocketOf(tgtadm, process.env);
  try {
    const closeTgt = await listenTgt({ host, log, path, stop, ...(group !== undefined && { group }) });
    return async () => {
      await closeMetrics?.();
      await closeTgt();
    };
  } catch (error) {
    await closeMetrics?.();
    throw error;
  }
}

/** Reads the file of `--config` again, and takes what it says. */
async function readAgain(host: Host): Promise<void> {
  try {
    for (const what of await host.takeGiven()) host.log({ level: 'warning', event: 'not restored', detail: { what } });
  } catch (error) {
    const detail = { file: host.given?.path ?? '', reason: wholeReasonOf(error) };
    host.log({ level: 'error', event: 'configuration not taken', detail });
  }
}

/** @returns a function that logs each problem once, when it begins or changes, and once more when it is over */
function reporter(host: Host): () => void {
  const { log } = host;
  // The problems are in sets, since of ten thousand disks all may be missing at once.
  let before: ReadonlySet<string> = new Set();
  const subject = (problem: string) => {
    const [path = problem] = problem.split(': ', 1);
    return path;
  };
  return () => {
    if (!host.root.serving) return;
    const now = new Set(problems(host));
    const subjects = new Set(Array.from(now, subject));
    for (const problem of now)
      if (!before.has(problem)) log({ level: 'warning', event: 'not served', detail: { what: problem } });
    for (const path of new Set(Array.from(before, subject)))
      if (!subjects.has(path) && isThere(host.root.tree, path))
        log({ level: 'info', event: 'served now', detail: { what: path } });
    before = now;
  };
}

/** Whether a problem is over because its subject is gone. */
function isThere(tree: Tree, path: string): boolean {
  try {
    return placeOf(tree, path) !== undefined;
  } catch {
    return false;
  }
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
