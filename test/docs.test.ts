/**
 * The pages of docs/ that list what the code declares. docs/settings.md and docs/log.md are printed here from the records, so that
 * each fact is written once (`npx vitest run test/docs.test.ts -u` writes them anew); pages written by hand name all there is.
 * Not tested here: what each setting does (the tests of its subject).
 */

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { preferenceTable } from '../shell/session/preferences.ts';
import type { Attribute, ValueType } from '../src/attribute.ts';
import { controlRequests } from '../src/daemon/control-requests.ts';
import { ownLogBytesMax } from '../src/daemon/log-lines.ts';
import { families } from '../src/daemon/metrics.ts';
import { localPorts } from '../src/fabric/local-ports.ts';
import { aclAttributes, tpgAttributes, tpgParameters } from '../src/iscsi/attributes.ts';
import { declarations, keys, type TextKey } from '../src/iscsi/keys.ts';
import { logEvents, logLevels } from '../src/log.ts';
import { descriptionSchema } from '../src/saved/description-schema.ts';
import { aluaGroupTable } from '../src/scsi/alua-group.ts';
import { diskAttributes } from '../src/scsi/attributes.ts';
import { lunAttributes } from '../src/target/fields.ts';
import { hostSettings, iqn } from './e2e-cluster/initiator.ts';

const project = join(import.meta.dirname, '..');
const docs = join(project, 'docs');
const page = (name: string) => readFileSync(join(docs, name), 'utf8');

const cell = (text: string) => text.replaceAll('|', '\\|');
const table = (heads: readonly string[], rows: readonly (readonly string[])[]) =>
  [heads, heads.map(() => '---'), ...rows].map((row) => `| ${row.map(cell).join(' | ')} |`).join('\n');

function valuesOf({ type, min, max, only, notAbove, readOnly }: Attribute): string {
  if (readOnly) return 'read-only';
  const words = only?.map(String) ?? type.words;
  const upTo = max === undefined ? undefined : String(max);
  const range = type.name === 'number' || min !== undefined ? `${min ?? 0} to ${upTo ?? notAbove ?? '…'}` : type.name;
  return words ? words.join(', ') : notAbove !== undefined ? `${min ?? 0} to ${notAbove}` : range;
}

const code = (value: unknown) => (value === '' || value === null ? '' : `\`${value}\``);

function settings(all: Readonly<Record<string, Attribute>>): string {
  const rows = Object.entries(all).map(([name, one]) => {
    const notes = [
      one.notWhileExported && 'Not while a LUN exports it.',
      (one.foreign || one.newer) && 'Not one of LIO.',
    ];
    const doc = [one.doc, ...notes.filter(Boolean)].join(' ');
    return [code(name), code(one.default), valuesOf(one), doc, one.effect];
  });
  return table(['name', 'default', 'values', 'what it is', 'where it is seen'], rows);
}

/** A section, where there are any. */
const attributesOf = (owner: string, all: Readonly<Record<string, Attribute>>) =>
  Object.keys(all).length === 0 ? '' : `## Attributes of ${owner}\n\n${settings(all)}\n\n`;

function textKeys(): string {
  const ours = ({ ours: put }: TextKey) =>
    'always' in put
      ? `always ${code(put.always)}`
      : `parameter ${code(put.parameter)}${put.atMost === undefined ? '' : `, at most ${put.atMost}`}`;
  const negotiated = Object.entries(keys).map(([name, key]) => [code(name), code(key.default), key.result, ours(key)]);
  const declared = [...declarations.keys()].map((name) => [code(name), '', 'heard', '']);
  return table(['key', 'when not spoken of', 'result', 'what this target puts in'], [...negotiated, ...declared]);
}

it('docs/settings.md lists every setting there is, as its record says', async () => {
  const preferences = Object.entries<{ type: ValueType<unknown>; default: unknown; doc: string }>(preferenceTable);
  const text = `# Settings

Every setting by its name: what it is, its default, its values, and where its effect is seen. \`none: …\` is one that is kept for
LIO's sake and does nothing here. In the shell, \`get GROUP\` at a node shows them with their values, \`set GROUP NAME=VALUE\` changes
one, and \`help set\` says more. This page is printed from the code (test/docs.test.ts).

## Attributes of a storage object

${settings(diskAttributes)}

## Settings of an ALUA group

${settings(aluaGroupTable)}

## Attributes of an iSCSI TPG

${settings(tpgAttributes)}

## Parameters of an iSCSI TPG

What the TPG puts into the negotiation of a login.

${settings(tpgParameters)}

## Attributes of a node ACL

${settings(aclAttributes)}

${attributesOf('a LUN', lunAttributes)}## Attributes of a loopback target

${settings(localPorts.tpgAttributes)}

## Text keys of a login

Result: \`lower\`, \`higher\`, \`or\` and \`and\` of what both sides say, the first of a \`list\` that both have, or \`declared\` by each
side for itself (RFC 7143 6.2). A key that is only heard needs no answer. Keys of the security stage are in the parameter \`AuthMethod\`.

${textKeys()}

## Preferences of the shell

\`set global NAME=VALUE\`, kept in \`preferences.json\`.

${table(
  ['name', 'default', 'values', 'what it is'],
  preferences.map(([name, { type, default: initial, doc }]) => [
    code(name),
    code(initial),
    type.words?.join(', ') ?? type.name,
    doc,
  ]),
)}
`;
  await expect(text).toMatchFileSnapshot(join(docs, 'settings.md'));
});

it('docs/log.md lists everything that is logged, as its record says', async () => {
  const text = `# The log

\`tcli serve\` logs to standard error, a line for each event: when, its level, what has happened, and the particulars as
\`name=value\`. With \`--log-format json\` it is a JSON object to a line, whose \`event\` is what has happened. \`--log-level\` says the
least serious level that is written. Secrets are never written. The words under *event* stay the same from version to version;
how often each one was logged is a metric, \`tcli_log_events_total\` ([metrics](metrics.md)). What happens to
the same initiator more than five times in a minute is counted: at its end, \`repeated\` says how often it was left out. This page
is printed from the code
(test/docs.test.ts).

\`tcli daemon start\` opens the file \`daemon.log\` in the home for it. That file is never longer than ${ownLogBytesMax >> 20} MiB: what was in it before
is then in \`daemon.log.1\`, and what was there is gone. Where the copy cannot be written, lines are lost, nothing else. Where standard
error goes to otherwise, to the journal of systemd or a file of yours, tcli does not shorten it.

${logLevels
  .map((level) => {
    const rows = Object.entries(logEvents).filter(([, row]) => row.level === level);
    return `## ${level}\n\n${table(
      ['event', 'what it means'],
      rows.map(([event, { doc }]) => [code(event), doc]),
    )}\n`;
  })
  .join('\n')}`;
  await expect(text).toMatchFileSnapshot(join(docs, 'log.md'));
});

it('docs/cluster.md has the settings of the host that `npm run cluster` tries', () => {
  const text = page('cluster.md');
  const [, conf = ''] =
    /^#.*\n([\s\S]*)\nblacklist/m.exec(readFileSync(join(project, 'test/e2e-cluster/multipath.conf'), 'utf8')) ?? [];
  expect(conf).toContain('fast_io_fail_tmo');
  expect(text).toContain(conf);
  for (const [name, value] of Object.entries(hostSettings))
    expect(text).toContain(`iscsiadm -m node -T ${iqn} -o update -n '${name}' -v ${value}\n`);
});

it('docs/description.schema.json is what descriptions are checked by', async () => {
  const text = `${JSON.stringify(descriptionSchema, null, 2)}\n`;
  await expect(text).toMatchFileSnapshot(join(docs, 'description.schema.json'));
});

it('docs/protocol.md has a line for every control request', () => {
  const text = page('protocol.md');
  expect(Object.keys(controlRequests).filter((name) => !text.includes(`"do": "${name}"`))).toEqual([]);
});

it('docs/metrics.md has a line for every metric, with its labels, and of no other', () => {
  const rows = page('metrics.md').split('\n');
  const told = rows.flatMap((row) => [...(row.split('|')[1] ?? '').matchAll(/`(\w+)`/g)].map(([, name]) => name!));
  expect(told.filter((told) => !families.some(({ name }) => name === told))).toEqual([]);
  const missing = families.filter(({ name, labels }) => {
    const row = rows.find((one) => one.includes(`\`${name}\``));
    return !row || labels.some((label) => !row.includes(`\`${label}\``));
  });
  expect(missing.map(({ name }) => name)).toEqual([]);
});

const pages = [
  'README.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  'CHANGELOG.md',
  ...readdirSync(docs).map((name) => `docs/${name}`),
]
  .filter((name) => name.endsWith('.md'))
  .map((name) => [name, readFileSync(join(project, name), 'utf8')] as const);

it.each(pages)('%s: the files and pages that it names are there', (name, text) => {
  const files = [...text.matchAll(/`((?:src|shell|test|packaging|snapshots|docs|\.ci)\/[\w./-]*)`/g)].map(
    ([, path]) => path!,
  );
  const links = [...text.matchAll(/\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)/g)].map(([, path]) =>
    join(dirname(name), path!),
  );
  expect([...files, ...links].filter((path) => !existsSync(join(project, path)))).toEqual([]);
});

it.each(pages)('%s: the npm scripts that it names are there', (_name, text) => {
  const scripts = (JSON.parse(readFileSync(join(project, 'package.json'), 'utf8')) as { scripts: object }).scripts;
  const named = [...text.matchAll(/npm run (?:-s )?([\w:]+)/g)].map(([, script]) => script!);
  expect(named.filter((script) => !Object.hasOwn(scripts, script))).toEqual([]);
});

it('docs/architecture.md has a line for every folder of src', () => {
  const text = page('architecture.md');
  const folders = readdirSync(join(project, 'src'), { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const rows = text.split('\n').filter((row) => row.startsWith('|'));
  const missing = folders.filter(({ name }) => !rows.some((row) => row.split('|')[1]?.includes(`\`${name}\``)));
  expect(missing.map(({ name }) => name)).toEqual([]);
});

it.each(pages.filter(([, text]) => text.includes('<!-- run -->')))(
  '%s: every block of commands is run by a test, or says on which other system it is meant',
  (_name, text) => {
    const blocks = [...text.matchAll(/(.*)\n```(?:sh|powershell)\n(.*)/g)];
    const unmarked = blocks.filter(([, before = '']) => !/^<!-- (run|elsewhere: .+) -->$/.test(before));
    expect(unmarked.map(([, , first]) => first)).toEqual([]);
  },
);
