/**
 * What runs, in numbers, for Prometheus: its text format, version 0.0.4, on HTTP. It tells names and no secrets, and takes
 * no orders.
 */

import { createServer, type Server } from 'node:http';
import { reasonOf } from '../errors.ts';
import { type Log, logBug } from '../log.ts';
import { printableLine } from '../printable.ts';
import type { Host } from '../root/host.ts';
import { printPortal } from '../target/tpg.ts';
import { latencyBoundsMs, sumOf, type Traffic, type WayTraffic } from '../target/traffic.ts';
import type { Status } from './control-protocol.ts';

/** Whoever scrapes has a connection each. */
const connectionsMax = 16;
/** How long a request may take to arrive. */
const requestMs = 5_000;

export interface MetricsOptions {
  readonly host: Host;
  readonly log: Log;
  readonly at: { readonly address: string; readonly port: number };
  readonly status: () => Status;
  /** How often each thing was logged, by its level and what it is. */
  readonly events: ReadonlyMap<string, number>;
}

/** Opens the endpoint; when that cannot be had it is logged, and everything else goes on. @returns what closes it */
export async function serveMetrics(options: MetricsOptions): Promise<() => Promise<void>> {
  const { log, at } = options;
  const server = createServer({ headersTimeout: requestMs, requestTimeout: requestMs }, async (request, response) => {
    if (request.url !== '/metrics' || request.method !== 'GET') {
      response.writeHead(404, { 'content-type': 'text/plain' }).end('GET /metrics\n');
      return;
    }
    try {
      const text = await metrics(options);
      response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }).end(text);
    } catch (error) {
      logBug(log, 'metrics', error);
      response.writeHead(500).end();
    }
  });
  server.maxConnections = connectionsMax;
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

type Labels = Readonly<Record<string, string | number>>;
type Sample = readonly [labels: Labels, value: number];

async function metrics({ host, status, events }: MetricsOptions): Promise<string> {
  const { root } = host;
  await root.observe();
  const now = status();
  const { ways, storageObjects } = await root.counts();
  const wayCounter = (name: string, help: string, value: (one: Traffic) => number) =>
    family(
      `tcli_lun_${name}_total`,
      'counter',
      help,
      ways.map((way) => [labelsOf(way), value(way)] as const),
    );
  const objectCounter = (name: string, help: string, value: (one: (typeof storageObjects)[number]) => number) =>
    family(
      `tcli_storage_object_${name}_total`,
      'counter',
      help,
      storageObjects.map((one) => [{ storage_object: one.path }, value(one)] as const),
    );
  const gauge = (name: string, help: string, value: number) => family(`tcli_${name}`, 'gauge', help, [[{}, value]]);
  const sessions = Map.groupBy(root.sessions(), ({ fabric, targetWwn, tpgTag, initiatorWwn }) =>
    JSON.stringify({ fabric, target: targetWwn, tpg: tpgTag, initiator: initiatorWwn }),
  );
  const portals = [...root.tree.tpgs()].flatMap((tpg) =>
    tpg.portals.map(
      (portal): Sample => [
        { target: tpg.target.wwn, tpg: tpg.tag, portal: printPortal(portal) },
        Number(tpg.enabled && root.portalProblem(tpg, portal) === undefined),
      ],
    ),
  );
  const { user, system } = process.cpuUsage();
  return [
    family('tcli_info', 'gauge', 'The program that serves.', [[{ version: now.version }, 1]]),
    family('process_start_time_seconds', 'gauge', 'When it began, since 1970.', [
      [{}, Date.parse(now.startedAt) / 1000],
    ]),
    family('process_cpu_seconds_total', 'counter', 'Processor time, of all threads.', [[{}, (user + system) / 1e6]]),
    family('process_resident_memory_bytes', 'gauge', 'Memory that is resident.', [[{}, process.memoryUsage.rss()]]),
    gauge('targets', 'Targets in the tree.', now.targets),
    gauge('control_clients', 'Clients of the control socket.', now.clients),
    gauge('unsaved_changes', 'Changes that are stored and not in saveconfig.json.', now.unsavedOperations),
    gauge(
      'problems',
      'Writes that may be lost, volumes, portals and LUNs that are not served as the tree wants it, and CHAP words that let nobody in.',
      now.problems.length,
    ),
    family(
      'tcli_sessions',
      'gauge',
      'Who is logged in.',
      Array.from(sessions, ([labels, all]) => [JSON.parse(labels), all.length] as const),
    ),
    family('tcli_portal_up', 'gauge', 'Whether a portal listens.', portals),
    family(
      'tcli_storage_object_up',
      'gauge',
      'Whether the medium of a storage object is there.',
      Array.from(
        root.tree.allStorageObjects(),
        ({ path, missing }) => [{ storage_object: path }, Number(missing === undefined)] as const,
      ),
    ),
    family(
      'tcli_storage_object_writes_lost',
      'gauge',
      'Whether writes that were acknowledged may not be on the medium.',
      Array.from(
        root.tree.allStorageObjects(),
        (object) => [{ storage_object: object.path }, Number(root.lossOf(object) !== undefined)] as const,
      ),
    ),
    objectCounter('reads', 'READ commands.', ({ reads }) => reads),
    objectCounter('writes', 'WRITE commands.', ({ writes }) => writes),
    objectCounter('read_bytes', 'Bytes that they read.', ({ readBytes }) => readBytes),
    objectCounter('written_bytes', 'Bytes that they wrote.', ({ writtenBytes }) => writtenBytes),
    wayCounter('commands', 'SCSI commands that were answered.', ({ commands }) => commands),
    wayCounter('failed_commands', 'Those whose status was not GOOD.', ({ failed }) => failed),
    wayCounter('read_bytes', 'Data that was sent to initiators.', ({ readBytes }) => readBytes),
    wayCounter('written_bytes', 'Data that came from initiators.', ({ writtenBytes }) => writtenBytes),
    histogram(ways),
    family(
      'tcli_log_events_total',
      'counter',
      'How often what is logged has happened.',
      Array.from(events, ([event, count]) => [JSON.parse(event) as Labels, count] as const),
    ),
  ].join('');
}

/** `/iscsi/WWN/tpg1/luns/lun0`, or `/loopback/WWN/luns/lun0` */
const lunPath = /^\/(?<fabric>[^/]+)\/(?<target>[^/]+)(?:\/tpg(?<tpg>\d+))?\/luns\/lun(?<lun>\d+)$/;
function lunLabels(path: string): Labels {
  const { fabric = '', target = '', tpg = '1', lun = '' } = lunPath.exec(path)?.groups ?? {};
  return { fabric, target, tpg, lun };
}

const labelsOf = ({ lun, storageObject, initiator, portal }: WayTraffic): Labels => ({
  ...lunLabels(lun),
  storage_object: storageObject,
  initiator,
  portal,
});

/** How long commands took, for each LUN. */
function histogram(ways: readonly WayTraffic[]): string {
  const name = 'tcli_lun_command_seconds';
  const samples = Array.from(Map.groupBy(ways, ({ lun }) => lun)).flatMap(([lun, all]) => {
    const labels = lunLabels(lun);
    const { commands, latencyMs, latencyBins } = sumOf(all);
    let below = 0;
    const bins = latencyBins.map((count, bin) => {
      below += count;
      const bound = latencyBoundsMs[bin];
      return line(`${name}_bucket`, { ...labels, le: bound === undefined ? '+Inf' : bound / 1000 }, below);
    });
    return [...bins, line(`${name}_sum`, labels, latencyMs / 1000), line(`${name}_count`, labels, commands)];
  });
  return head(name, 'histogram', 'From the arrival of a command to the end of its answer.') + samples.join('');
}

const head = (name: string, type: string, help: string): string => `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`;

const family = (name: string, type: 'gauge' | 'counter', help: string, samples: readonly Sample[]): string =>
  head(name, type, help) + samples.map(([labels, value]) => line(name, labels, value)).join('');

function line(name: string, labels: Labels, value: number): string {
  const pairs = Object.entries(labels).map(([key, label]) => `${key}="${escaped(String(label))}"`);
  return `${name}${pairs.length > 0 ? `{${pairs.join(',')}}` : ''} ${value}\n`;
}

const escaped = (text: string): string => printableLine(text).replace(/[\\"]/g, '\\$&');
