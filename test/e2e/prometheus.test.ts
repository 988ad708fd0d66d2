// packaging/prometheus: a real Prometheus scrapes a real tcli that an initiator uses. Every expression of the dashboard, and what
// every alert looks at, gives a series; the alerts fire when they should by promtool's own tests.

import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { runningMs } from '../../src/system/running-time.ts';
import { needs } from '../support/needs.ts';
import { configure, freePort, iqn, openTarget, run, serve, targetUrl, temporaryDirectory } from '../support/tcli.ts';

const folder = resolve(import.meta.dirname, '../../packaging/prometheus');

it('alerts: promtool takes the rules and finds that they fire when they should', needs('promtool'), async () => {
  for (const words of [
    ['check', 'rules', 'rules.yml'],
    ['test', 'rules', 'rules.test.yml'],
    ['check', 'config', 'prometheus.yml'],
  ]) {
    const [action = '', what = '', file = ''] = words;
    const { status, stdout, stderr } = await run('promtool', [action, what, `${folder}/${file}`]);
    expect([status, status === 0 ? '' : stdout + stderr]).toEqual([0, '']);
  }
});

interface Dashboard {
  readonly templating: { readonly list: readonly { readonly type: string; readonly definition?: string }[] };
  readonly panels: readonly { readonly title: string; readonly targets: readonly { readonly expr: string }[] }[];
}

/** Expressions as Grafana sends them, everything chosen. */
const chosen = (expr: string) =>
  expr.replaceAll(/\$(instance|target|storage_object)\b/g, '.*').replaceAll('$__rate_interval', '10s');

/** How long a series may be waited for, before the test says which is missing. */
const waitMs = 60_000;

/** The expression that an alert looks at, without the bound that it compares with. */
const looksAt = (rule: string) => rule.replace(/ (==|>|<) [\d.]+$/, '');

it(
  'dashboard and alerts: every expression gives a series of a tcli that is used',
  needs('prometheus', 'iscsi-perf'),
  async () => {
    const home = temporaryDirectory();
    const [port, metrics, web] = [await freePort(), await freePort(), await freePort()];
    await configure(home, '/backstores/ramdisk create rd0 8M', ...openTarget(port, '/backstores/ramdisk/rd0'));
    await serve(home, '--metrics', String(metrics));
    const url = targetUrl(port);
    // A target that does not exist is refused, and logged.
    await run('iscsi-inq', [url.replace(iqn, `${iqn}x`)]);
    const load = spawn('iscsi-perf', [url], { stdio: 'ignore' });
    onTestFinished(() => void load.kill('SIGKILL'));
    writeFileSync(
      `${home}/prometheus.yml`,
      JSON.stringify({
        global: { scrape_interval: '1s' },
        scrape_configs: [{ job_name: 'tcli', static_configs: [{ targets: [`127.0.0.1:${metrics}`] }] }],
      }),
    );
    const prometheus = spawn(
      'prometheus',
      [
        `--config.file=${home}/prometheus.yml`,
        `--storage.tsdb.path=${home}/tsdb`,
        `--web.listen-address=127.0.0.1:${web}`,
      ],
      { stdio: 'ignore' },
    );
    onTestFinished(() => void prometheus.kill('SIGKILL'));
    const series = async (query: string): Promise<number | string> => {
      const answer = await fetch(`http://127.0.0.1:${web}/api/v1/query?query=${encodeURIComponent(query)}`);
      const { data, error } = (await answer.json()) as { data?: { result: unknown[] }; error?: string };
      return data ? data.result.length : (error ?? 'no answer');
    };
    const dashboard = JSON.parse(readFileSync(`${folder}/grafana-dashboard.json`, 'utf8')) as Dashboard;
    const shown = dashboard.panels.flatMap(({ title, targets }) => targets.map(({ expr }) => [title, chosen(expr)]));
    const alerts = readFileSync(`${folder}/rules.yml`, 'utf8').matchAll(/alert: (\w+)\n +expr: (?:>-\n +)?(.*)\n/g);
    const asked = [...shown, ...Array.from(alerts, ([, name = '', rule = '']) => [name, looksAt(rule)])];
    expect(asked.length).toBeGreaterThan(25);
    const begun = runningMs();
    let without: unknown[] = asked;
    while (without.length > 0) {
      await sleep(500);
      const found = await Promise.all(
        asked.map(async ([what, expr = '']) => [what, expr, await series(expr).catch(() => 'no answer')] as const),
      );
      without = found.filter(([, , count]) => typeof count === 'string' || count === 0);
      if (prometheus.exitCode !== null || load.exitCode !== null || runningMs() > begun + waitMs)
        expect(without).toEqual([]);
    }
    // The choices of the dashboard are made of these definitions.
    for (const { definition } of dashboard.templating.list) {
      const [, of = '', label = ''] = /^label_values\((.*), (\w+)\)$/.exec(definition ?? '') ?? [];
      if (of) expect([definition, await series(`count by (${label}) (${chosen(of)})`)]).toEqual([definition, 1]);
    }
  },
);
