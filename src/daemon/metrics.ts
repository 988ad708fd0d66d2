/**
 * Metrics of the running process for Prometheus: its text format, version 0.0.4, on HTTP. They tell names and no secrets, and the
 * endpoint takes no orders.
 */

import { createServer, type Server } from 'node:http';
import type { Socket } from 'node:net';
import { reasonOf } from '../errors.ts';
import { type Log, logBug } from '../log.ts';
import { printableLine } from '../printable.ts';
import type { Host } from '../root/host.ts';
import { Places } from '../system/places.ts';
import { printPortal } from '../target/target.ts';
import { latencyBoundsMs, sumOf, type Traffic, type WayTraffic } from '../target/traffic.ts';
import type { Status } from './control-protocol.ts';

/** The connections: each scraper has one. One that comes beyond them takes the place of the one that has been silent the longest. */
const connectionsMax = 16;
/** The time that a request may take to arrive, how often that is looked at, and the time in which nothing may move on a connection. */
const requestMs = 5_000;
const lookMs = 1_000;
const stillMs = 30_000;

export interface MetricsOptions {
  readonly host: Host;
  readonly log: Log;
  readonly at: { readonly address: string; readonly port: number };
  readonly status: () => Status;
  /** The number of log records, by level and event. */
  readonly events: ReadonlyMap<string, number>;
}

/** Opens the endpoint; a failure is logged, and everything else goes on. @returns a function that closes it */
export async function serveMetrics(options: MetricsOptions): Promise<() => Promise<void>> {
  const { log, at } = options;
  /** Those whose answer is being made. */
  const asked = new Set<Socket>();
  const places = new Places<Socket>({
    most: connectionsMax,
    isBusy: (socket) => asked.has(socket),
    drop: (socket) => socket.destroy(),
  });
  const inTime = { headersTimeout: requestMs, requestTimeout: requestMs, connectionsCheckingInterval: lookMs };
  const server = createServer(inTime, async (request, response) => {
    const { socket } = request;
    places.heard(socket);
    if (request.url !== '/metrics' || request.method !== 'GET') {
      response.writeHead(404, { 'content-type': 'text/plain' }).end('GET /metrics\n');
      return;
    }
    asked.add(socket);
    try {
      const text = await metrics(options);
      response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }).end(text);
    } catch (error) {
      logBug(log, 'metrics', error);
      response.writeHead(500).end();
    } finally {
      asked.delete(socket);
    }
  });
  server.timeout = stillMs;
  server.on('connection', (socket) => {
    socket.on('close', () => places.leave(socket));
    if (!places.enter(socket)) socket.destroy();
  });
  const problem = await listening(server, at);
  if (problem) log({ level: 'warning', event: 'no metrics', detail: { address: printPortal(at), reason: problem } });
  return () =>
    new Promise((closed) => {
      server.close(() => closed());
      server.closeAllConnections();
    });
}

function listening(server: Server, { address: host, port }: MetricsOptions['at']): Promise<string | undefined> {
  return new Promise((resolve) => {
    server.on('error', (error) => resolve(reasonOf(error)));
    server.listen({ host, port }, () => resolve(undefined));
  });
}

type MetricLabels = Readonly<Record<string, string | number>>;
/** A value with its labels, and the suffix of the family's name where it has several. */
type Sample = readonly [labels: MetricLabels, value: number, suffix?: string];

/** The facts that a scrape reads. */
interface Scene extends Awaited<ReturnType<Host['root']['counts']>> {
  readonly spaces: Awaited<ReturnType<Host['root']['spaces']>>;
  readonly root: Host['root'];
  readonly status: Status;
  readonly cpu: NodeJS.CpuUsage;
  readonly events: MetricsOptions['events'];
}

/** A family of metrics; docs/metrics.md has a line for each. */
interface Family {
  readonly name: string;
  readonly type: 'gauge' | 'counter' | 'histogram';
  readonly help: string;
  readonly labels: readonly string[];
  /** Set where only a gateway of a cluster has samples. */
  readonly ofGateways?: true;
  samples(scene: Scene): Iterable<Sample>;
}

const single = (type: 'gauge' | 'counter', name: string, help: string, value: (scene: Scene) => number): Family => ({
  name,
  type,
  help,
  labels: [],
  samples: (scene) => [[{}, value(scene)]],
});

const wayLabels = ['fabric', 'target', 'tpg', 'lun', 'storage_object', 'initiator', 'portal'];
const ofWays = (name: string, help: string, value: (one: Traffic) => number): Family => ({
  name: `tcli_lun_${name}_total`,
  type: 'counter',
  help,
  labels: wayLabels,
  samples: ({ ways }) => ways.map((way) => [labelsOf(way), value(way)] as const),
});

const ofStorageObjects = (
  name: string,
  help: string,
  value: (one: Scene['storageObjects'][number]) => number,
): Family => ({
  name: `tcli_storage_object_${name}_total`,
  type: 'counter',
  help,
  labels: ['storage_object'],
  samples: ({ storageObjects }) => storageObjects.map((one) => [{ storage_object: one.path }, value(one)] as const),
});

const ofSpace = (name: string, help: string, value: (one: Scene['spaces'][number]) => number | undefined): Family => ({
  name: `tcli_storage_object_${name}_bytes`,
  type: 'gauge',
  help,
  labels: ['storage_object'],
  samples: ({ spaces }) =>
    spaces.flatMap((one) => {
      const bytes = value(one);
      return bytes === undefined ? [] : [[{ storage_object: one.path }, bytes] as const];
    }),
});

/** Every metric, one row each. */
export const families: readonly Family[] = [
  {
    name: 'tcli_info',
    type: 'gauge',
    help: 'The program that serves.',
    labels: ['version'],
    samples: ({ status }) => [[{ version: status.version }, 1]],
  },
  single(
    'gauge',
    'process_start_time_seconds',
    'When it began, since 1970.',
    ({ status }) => Date.parse(status.startedAt) / 1000,
  ),
  single(
    'counter',
    'process_cpu_seconds_total',
    'Processor time, of all threads.',
    ({ cpu }) => (cpu.user + cpu.system) / 1e6,
  ),
  single('gauge', 'process_resident_memory_bytes', 'Memory that is resident.', () => process.memoryUsage.rss()),
  single('gauge', 'tcli_targets', 'Targets in the tree.', ({ status }) => status.targets),
  single('gauge', 'tcli_control_clients', 'Clients of the control socket.', ({ status }) => status.clients),
  single(
    'gauge',
    'tcli_unsaved_changes',
    'Changes that are stored and not in saveconfig.json.',
    ({ status }) => status.unsavedOperations,
  ),
  single(
    'gauge',
    'tcli_problems',
    'Writes that may be lost, volumes, portals and LUNs that are not served as the tree wants it, and CHAP words that let nobody in.',
    ({ status }) => status.problems.length,
  ),
  {
    name: 'tcli_sessions',
    type: 'gauge',
    help: 'Who is logged in.',
    labels: ['fabric', 'target', 'tpg', 'initiator'],
    samples({ root }) {
      const sessions = Map.groupBy(root.sessions(), ({ fabric, targetWwn, tpgTag, initiatorWwn }) =>
        JSON.stringify({ fabric, target: targetWwn, tpg: tpgTag, initiator: initiatorWwn }),
      );
      return Array.from(sessions, ([labels, all]) => [JSON.parse(labels), all.length] as const);
    },
  },
  {
    name: 'tcli_portal_up',
    type: 'gauge',
    help: 'Whether a portal listens.',
    labels: ['target', 'tpg', 'portal'],
    samples: ({ root }) =>
      [...root.tree.tpgs()].flatMap((tpg) =>
        tpg.portals.map(
          (portal) =>
            [
              { target: tpg.target.wwn, tpg: tpg.tag, portal: printPortal(portal) },
              Number(tpg.enabled && root.portalProblem(tpg, portal) === undefined),
            ] as const,
        ),
      ),
  },
  {
    name: 'tcli_storage_object_up',
    type: 'gauge',
    help: 'Whether the medium of a storage object is there.',
    labels: ['storage_object'],
    samples: ({ root }) =>
      Array.from(
        root.tree.allStorageObjects(),
        ({ path, missing }) => [{ storage_object: path }, Number(missing === undefined)] as const,
      ),
  },
  {
    name: 'tcli_storage_object_writes_lost',
    type: 'gauge',
    help: 'Whether writes that were acknowledged may not be on the medium: a flush failed.',
    labels: ['storage_object'],
    samples: ({ root }) =>
      Array.from(
        root.tree.allStorageObjects(),
        (one) => [{ storage_object: one.path }, Number(root.lossOf(one) !== undefined)] as const,
      ),
  },
  {
    name: 'tcli_storage_object_overdue',
    type: 'gauge',
    help: 'Commands that the medium has had for more than 10 seconds.',
    labels: ['storage_object'],
    samples: ({ root }) =>
      Array.from(
        root.tree.allStorageObjects(),
        (one) => [{ storage_object: one.path }, root.overdueOf(one)?.commands ?? 0] as const,
      ),
  },
  {
    name: 'tcli_storage_object_overdue_total',
    type: 'counter',
    help: 'Commands that the medium had for more than 10 seconds.',
    labels: ['storage_object'],
    samples: ({ root }) =>
      Array.from(
        root.tree.allStorageObjects(),
        (one) => [{ storage_object: one.path }, root.overdueOf(one)?.total ?? 0] as const,
      ),
  },
  {
    name: 'tcli_gateway_up',
    type: 'gauge',
    help: 'Whether a gateway of the cluster is alive, as this one knows it.',
    labels: ['gateway'],
    ofGateways: true,
    samples: ({ root }) =>
      (root.gateway?.gateways() ?? []).map(({ name, isAlive }) => [{ gateway: name }, Number(isAlive)] as const),
  },
  {
    name: 'tcli_storage_object_owned',
    type: 'gauge',
    help: 'Whether a gateway serves a storage object that gateways share.',
    labels: ['storage_object', 'gateway'],
    ofGateways: true,
    samples: ({ root }) =>
      (root.gateway?.units() ?? []).flatMap(({ path, owner }) =>
        root
          .gateway!.gateways()
          .map(({ name }) => [{ storage_object: path, gateway: name }, Number(name === owner)] as const),
      ),
  },
  {
    name: 'tcli_storage_object_epoch',
    type: 'gauge',
    help: 'How often the owner of a storage object that gateways share has changed.',
    labels: ['storage_object'],
    ofGateways: true,
    samples: ({ root }) =>
      (root.gateway?.units() ?? []).map(({ path, epoch }) => [{ storage_object: path }, epoch] as const),
  },
  ofSpace('allocated', 'Bytes that they take of their media.', ({ allocated }) => allocated),
  ofSpace('available', 'Bytes that are left on their media, for whoever uses them.', ({ available }) => available),
  ofStorageObjects('reads', 'READ commands.', ({ reads }) => reads),
  ofStorageObjects('writes', 'WRITE commands.', ({ writes }) => writes),
  ofStorageObjects('read_bytes', 'Bytes that they read.', ({ readBytes }) => readBytes),
  ofStorageObjects('written_bytes', 'Bytes that they wrote.', ({ writtenBytes }) => writtenBytes),
  ofWays('commands', 'SCSI commands that were answered.', ({ commands }) => commands),
  ofWays('failed_commands', 'Those whose status was not GOOD.', ({ failed }) => failed),
  ofWays('read_bytes', 'Data that was sent to initiators.', ({ readBytes }) => readBytes),
  ofWays('written_bytes', 'Data that came from initiators.', ({ writtenBytes }) => writtenBytes),
  {
    name: 'tcli_lun_command_seconds',
    type: 'histogram',
    help: 'From the arrival of a command to the end of its answer.',
    labels: ['fabric', 'target', 'tpg', 'lun'],
    samples: ({ ways }) => Array.from(Map.groupBy(ways, ({ lun }) => lun)).flatMap(([lun, all]) => histogram(lun, all)),
  },
  {
    name: 'tcli_log_events_total',
    type: 'counter',
    help: 'How often what is logged has happened.',
    labels: ['level', 'event'],
    samples: ({ events }) =>
      Array.from(events, ([event, count]) => [JSON.parse(event) as MetricLabels, count] as const),
  },
];

async function metrics({ host, status, events }: MetricsOptions): Promise<string> {
  const { root } = host;
  await root.observe();
  const [counts, spaces] = await Promise.all([root.counts(), root.spaces()]);
  const scene = { root, status: status(), cpu: process.cpuUsage(), events, spaces, ...counts };
  return families.map((family) => printed(family, scene)).join('');
}

function printed({ name, type, help, samples }: Family, scene: Scene): string {
  const lines = Array.from(samples(scene), ([labels, value, suffix = '']) => line(`${name}${suffix}`, labels, value));
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join('')}`;
}

/** The path of a LUN: `/iscsi/WWN/tpg1/luns/lun0`, or `/loopback/WWN/luns/lun0`. */
const lunPath = /^\/(?<fabric>[^/]+)\/(?<target>[^/]+)(?:\/tpg(?<tpg>\d+))?\/luns\/lun(?<lun>\d+)$/;
function lunLabels(path: string): MetricLabels {
  const { fabric = '', target = '', tpg = '1', lun = '' } = lunPath.exec(path)?.groups ?? {};
  return { fabric, target, tpg, lun };
}

const labelsOf = ({ lun, storageObject, initiator, portal }: WayTraffic): MetricLabels => ({
  ...lunLabels(lun),
  storage_object: storageObject,
  initiator,
  portal,
});

/** The histogram of the times that a LUN's commands took. */
function histogram(lun: string, ways: readonly WayTraffic[]): Sample[] {
  const labels = lunLabels(lun);
  const { commands, latencyMs, latencyBins } = sumOf(ways);
  let below = 0;
  const bins = latencyBins.map((count, bin): Sample => {
    below += count;
    const bound = latencyBoundsMs[bin];
    return [{ ...labels, le: bound === undefined ? '+Inf' : bound / 1000 }, below, '_bucket'];
  });
  return [...bins, [labels, latencyMs / 1000, '_sum'], [labels, commands, '_count']];
}

function line(name: string, labels: MetricLabels, value: number): string {
  const pairs = Object.entries(labels).map(([key, label]) => `${key}="${escaped(String(label))}"`);
  return `${name}${pairs.length > 0 ? `{${pairs.join(',')}}` : ''} ${value}\n`;
}

const escaped = (text: string): string => printableLine(text).replace(/[\\"]/g, '\\$&');
