// The endpoint for Prometheus, with an initiator that does something to be counted. Not here: the counters themselves
// (test/e2e/daemon.test.ts).

import { createServer } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { listenControl } from '../../src/daemon/control.ts';
import { families, serveMetrics } from '../../src/daemon/metrics.ts';
import { homeOf } from '../../src/durable/home.ts';
import type { LogRecord } from '../../src/log.ts';
import { openHost } from '../../src/root/host.ts';
import { connectInitiator } from '../support/connect-initiator.ts';
import { freePort, iqn, temporaryDirectory } from '../support/tcli.ts';

const tpg = `/iscsi/${iqn}/tpg1`;
const initiatorName = 'iqn.1994-05.com.redhat:one';

async function serve(port: number, metricsPort: number) {
  const host = await openHost({ home: homeOf(temporaryDirectory(), {}, undefined), role: 'serve' });
  onTestFinished(() => host.close());
  const apply = (path: string, verb: string, params: object = {}) =>
    host.root.apply({ path, verb, params: params as never });
  await apply('/backstores/ramdisk', 'create', { name: 'rd"0\\', size: '1M' });
  await apply('/iscsi', 'create', { wwn: iqn });
  await apply(`/iscsi/${iqn}`, 'create', { tag: 1 });
  await apply(`${tpg}/luns`, 'create', { storage_object: '/backstores/ramdisk/rd"0\\', lun: 3 });
  await apply(`${tpg}/acls`, 'create', { wwn: initiatorName });
  await apply(`${tpg}/acls/${initiatorName}`, 'create', { mapped_lun: 0, tpg_lun: 3 });
  await apply(`${tpg}/portals`, 'create', { ip_address: '127.0.0.1', ip_port: port });
  for (const name of ['userid', 'password', 'mutual_userid', 'mutual_password'])
    await apply(`${tpg}`, 'set', { group: 'auth', name, value: `hidden-${name}` });
  await apply(tpg, 'set', { group: 'attribute', name: 'authentication', value: '0' });
  await apply(tpg, 'enable');
  await host.root.start();
  const logged: LogRecord[] = [];
  const log = (record: LogRecord) => void logged.push(record);
  const createSession = () => ({ receive: () => false, hangUp: () => {} });
  const control = await listenControl({
    host,
    role: 'serve',
    startedBy: { what: 'hand' },
    version: '1.2.3',
    log,
    createSession,
  });
  onTestFinished(() => control.close());
  const close = await serveMetrics({
    host,
    log,
    at: { address: '127.0.0.1', port: metricsPort },
    status: () => control.status(),
    events: new Map([[JSON.stringify({ level: 'info', event: 'iscsi login' }), 2]]),
  });
  onTestFinished(close);
  return logged;
}

it('answers in the text format: every way of a LUN, a histogram that adds up, names and no secrets', async () => {
  const [port, metricsPort] = [await freePort(), await freePort()];
  await serve(port, metricsPort);
  const { initiator, close } = await connectInitiator(port, iqn, initiatorName);
  onTestFinished(close);
  // The first command hears of the new nexus.
  await initiator.command([0, 0, 0, 0, 0, 0]);
  await initiator.command([0x2a, 0, 0, 0, 0, 0, 0, 0, 8, 0], { data: Buffer.alloc(4096, 1) });
  const answer = await fetch(`http://127.0.0.1:${metricsPort}/metrics`);
  expect(answer.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
  const text = await answer.text();
  const lun = `fabric="iscsi",target="${iqn}",tpg="1",lun="3"`;
  const way = `${lun},storage_object="/backstores/ramdisk/rd\\"0\\\\",initiator="${initiatorName}",portal="127.0.0.1:${port}"`;
  for (const line of [
    'tcli_info{version="1.2.3"} 1',
    `tcli_sessions{fabric="iscsi",target="${iqn}",tpg="1",initiator="${initiatorName}"} 1`,
    `tcli_portal_up{target="${iqn}",tpg="1",portal="127.0.0.1:${port}"} 1`,
    'tcli_storage_object_up{storage_object="/backstores/ramdisk/rd\\"0\\\\"} 1',
    `tcli_lun_commands_total{${way}} 2`,
    `tcli_lun_failed_commands_total{${way}} 1`,
    `tcli_lun_written_bytes_total{${way}} 4096`,
    `tcli_lun_command_seconds_bucket{${lun},le="+Inf"} 2`,
    `tcli_lun_command_seconds_count{${lun}} 2`,
    'tcli_log_events_total{level="info",event="iscsi login"} 2',
  ])
    expect(text).toContain(`${line}\n`);
  // There is a sample of every family, with the labels that its record names; those of gateways: test/cluster/gateway.test.ts.
  for (const { name, labels } of families.filter(({ ofGateways }) => !ofGateways)) {
    const sample = new RegExp(`^${name}(?:_bucket)?(?:\\{(.*)\\})? `, 'm').exec(text);
    const named = [...(sample?.[1] ?? '').matchAll(/(\w+)="/g)].map(([, label]) => label);
    expect([name, named.filter((label) => label !== 'le').sort()]).toEqual([name, labels.toSorted()]);
  }
  const bins = [...text.matchAll(/_bucket\{[^}]*\} (\d+)$/gm)].map(([, count]) => Number(count));
  expect(bins).toEqual(bins.toSorted((a, b) => a - b));
  expect(text).not.toContain('hidden');
  for (const line of text.split('\n').slice(0, -1))
    expect(line).toMatch(/^(# (HELP|TYPE) [a-z_]+ .+|[a-z_]+(\{([a-z_]+="([^"\\]|\\["\\n])*",?)+\})? [\d.e-]+)$/);
});

it('answers nothing else', async () => {
  const metricsPort = await freePort();
  await serve(await freePort(), metricsPort);
  for (const [path, method] of [
    ['/', 'GET'],
    ['/metrics', 'POST'],
  ] as const)
    expect((await fetch(`http://127.0.0.1:${metricsPort}${path}`, { method })).status).toBe(404);
});

it('an address that is taken is said in the log, and everything else goes on', async () => {
  const other = createServer();
  const metricsPort = await new Promise<number>((listening) =>
    other.listen(0, '127.0.0.1', () => listening((other.address() as { port: number }).port)),
  );
  onTestFinished(() => void other.close());
  expect(await serve(await freePort(), metricsPort)).toMatchObject([
    { level: 'warning', event: 'no metrics', detail: { address: `127.0.0.1:${metricsPort}` } },
  ]);
});
