// The code base tests itself: the laws that a reader cannot see at a glance. Each rule says what to do.
// It does not test behaviour.

import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, matchesGlob, relative, resolve } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { preferenceTable } from '../shell/session/preferences.ts';
import type { Attribute } from '../src/attribute.ts';
import { controlRequests } from '../src/daemon/control-requests.ts';
import { aclAttributes, tpgAttributes, tpgParameters } from '../src/iscsi/attributes.ts';
import { declarations, keys } from '../src/iscsi/keys.ts';
import { logEvents } from '../src/log.ts';
import { aluaGroupTable } from '../src/scsi/alua-group.ts';
import { logPages } from '../src/scsi/log-page.ts';
import { modePages } from '../src/scsi/mode-pages.ts';
import { opcodes } from '../src/scsi/opcode-table.ts';
import { type Sense, sense } from '../src/scsi/sense.ts';
import { vpdPages } from '../src/scsi/vpd-page.ts';
import { lunAttributes } from '../src/target/fields.ts';
import { testProjects } from './support/projects.ts';

const project = resolve(import.meta.dirname, '..');
const files = ['src', 'shell', 'test']
  .flatMap((folder) =>
    readdirSync(join(project, folder), { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name)),
  )
  .filter((name) => /\.tsx?$/.test(name));
const text = (file: string) => readFileSync(join(project, file), 'utf8');
const testFiles = files.filter((file) => /\.test\.tsx?$|\.suite\.ts$/.test(file));
const product = files.filter((file) => !file.startsWith('test/'));

/** The line of layers, left to right; a layer that stands in one string with others may not import them. */
const layers = [
  ['errors', 'attribute', 'log', 'printable', 'wildcard'],
  ['system'],
  ['wire'],
  ['backstore'],
  ['scsi'],
  ['target'],
  ['iscsi', 'nbd', 'vhost'],
  ['fabric'],
  ['operations'],
  ['saved'],
  ['durable'],
  ['cluster'],
  ['loops'],
  ['root'],
  ['tgt'],
  ['import'],
  ['daemon'],
  ['library'],
];

/** Files with a timer of Node's, and why they have one. */
const roomsWithTimers: Readonly<Record<string, string>> = {
  'src/system/running-time.ts': 'the clock itself',
  'src/system/io-uring.ts': 'a kernel that has no room for more right now is asked again, which nothing tells of',
  'src/system/collector.ts': 'gives memory back a while later, and keeps no process alive for that',
  'src/backstore/rbd-image.ts': 'requests that librbd refuses, and does not always tell of',
  'src/backstore/rbd-volume.ts': 'a lock that is lost, and a size that is changed, which nothing tells of',
  'src/backstore/patience.ts': 'looks by the clock for signs of life, and does nothing for each of them',
  'src/cluster/clock.ts':
    'the clock of leases, which goes on while the process stands still: others may have its units then',
  'src/iscsi/connections.ts': 'the tick of all connections, which looks at the clock',
  'src/scsi/logical-unit.ts': 'the clock of SCSI, which is an argument',
  'src/daemon/serve.ts': 'the watchdog of systemd, and media that are tried again, for as long as it serves',
  'src/library/own.ts': 'media that are tried again, for as long as it serves',
  'src/daemon/repeats.ts': 'counted log lines, from time to time',
  'shell/process/serve-home.ts': 'ends the process when its last lines are said',
  'shell/ui/pager.ts': 'what somebody sees who waits for more lines',
  'shell/ui/read-line.ts': 'what somebody sees who stops typing',
};

/** The files that the shell and programs may import. */
const doors = ['src/index.ts', 'src/client.ts'];

function layerOf(file: string): number {
  const [, first = ''] = file.split('/');
  return layers.findIndex((layer) => layer.includes(first.replace(/\.ts$/, '')));
}

const pathsOf = (file: string, found: Iterable<RegExpMatchArray>): string[] =>
  [...found].map(([, path = '']) => relative(project, resolve(project, dirname(file), path)));

/** The files that are loaded before the first line of `file` runs. */
const importsAtStart = (file: string): string[] =>
  pathsOf(file, text(file).matchAll(/^(?:import|export)\b(?! type\b)[^;]*?\bfrom '(\.[^']+)'/gms));

const imports = (file: string): string[] => [
  ...pathsOf(file, text(file).matchAll(/^(?:import|export)\b[^;]*?\bfrom '(\.[^']+)'/gms)),
  ...pathsOf(file, text(file).matchAll(/\bimport\('(\.[^']+)'\)/g)),
];

describe('the laws', () => {
  it('a file imports only from its own layer and from layers to its left', () => {
    const wrong = files.flatMap((file) =>
      imports(file).flatMap((imported) => {
        if (file.startsWith('shell/') && imported.startsWith('src/') && !doors.includes(imported))
          return [`${file} imports ${imported}: the shell imports ${doors.join(' and ')} only`];
        if (!file.startsWith('src/') || doors.includes(file)) return [];
        if (!imported.startsWith('src/')) return [`${file} imports ${imported}: src imports src only`];
        return layerOf(imported) > layerOf(file)
          ? [`${file} imports ${imported}: a layer to its right; move what both need to the left`]
          : [];
      }),
    );
    expect(wrong).toEqual([]);
  });

  it('a one-shot loads no engine: what the program imports at its start does not lead to src/index.ts', () => {
    const ways = new Map([['shell/process/main.tsx', 'shell/process/main.tsx']]);
    for (const [file, way] of ways)
      for (const one of importsAtStart(file)) if (!ways.has(one)) ways.set(one, `${way} > ${one}`);
    // The engine is most of the program, and starting without it takes half as long.
    expect(ways.get('src/index.ts')).toBeUndefined();
  });

  it('every file of src stands in a layer', () => {
    expect(files.filter((file) => file.startsWith('src/') && !doors.includes(file) && layerOf(file) < 0)).toEqual([]);
  });

  it('no file has more than 400 lines: split by the subject', () => {
    const long = files
      .map((file) => [file, text(file).split('\n').length - 1] as const)
      .filter(([, lines]) => lines > 400);
    expect(long).toEqual([]);
  });

  it('a file says first what lives in it', () => {
    const silent = product.filter((file) => !/^(#!.*\n)?(\/\*\*|\/\/)/.test(text(file)));
    expect(silent).toEqual([]);
  });

  it('an export says what it is, unless the head of its file does, or the `doc` of its record', () => {
    const silent = product.flatMap((file) => {
      const lines = text(file).split('\n');
      let isFirst = true;
      let isTold = false;
      return lines.flatMap((line, at) => {
        if (line === '') isTold = false;
        if (!/^export (?:async |abstract )?(?:function|class|const|interface|type) ?\*?\w/.test(line)) return [];
        // Lines of a group stand below one comment.
        isTold ||= isFirst || lines[at - 1]!.endsWith('*/') || /^ +doc: /m.test(lines.slice(at + 1, at + 3).join('\n'));
        isFirst = false;
        return isTold ? [] : [`${file}:${at + 1} ${line}`];
      });
    });
    expect(silent).toEqual([]);
  });

  it("names are the field's: no utils, helpers, managers, commons", () => {
    expect(files.filter((file) => /(util|helper|manager|common\.|base\.|misc)/i.test(file))).toEqual([]);
  });

  it('the name of an exported type means one thing: no other file exports it, no other of the product declares it', () => {
    const types = files.flatMap((file) =>
      [...text(file).matchAll(/^(export )?(?:interface|type|class) (\w+)/gm)].map(([, exported, name = '']) => ({
        name,
        file,
        isExported: exported !== undefined,
        isProduct: !file.startsWith('test/'),
      })),
    );
    const twice = types.filter((one) =>
      types.some(
        (other) =>
          other.name === one.name &&
          other.file !== one.file &&
          (one.isProduct && other.isProduct ? one.isExported || other.isExported : one.isExported && other.isExported),
      ),
    );
    expect(twice.map(({ name, file }) => `${name}: ${file}`).toSorted()).toEqual([]);
  });

  it("the shell's output goes through the printing door: streams.ts, or the owner of the terminal", () => {
    const doors = ['shell/process/streams.ts', 'shell/process/manual.ts'];
    const others = product.filter((file) => /^shell\/(?!ui\/)/.test(file) && !doors.includes(file));
    const writers = others.filter((file) => /process\.std(?:out|err)\.write|console\./.test(text(file)));
    expect(writers.map((file) => `${file}: say or complain, of shell/process/streams.ts`)).toEqual([]);
  });

  it('a wait goes by the running-time clock: until, whenLate, within; or it awaits an event', () => {
    const waits = /\b(?:setTimeout|setInterval)\(|from '(?:node:)?timers\/promises'/;
    const found = product.filter((file) =>
      waits.test(codeOf(file).replace(/import \{ setImmediate[^}]*\} from 'node:timers\/promises'/g, '')),
    );
    expect(found.toSorted()).toEqual(Object.keys(roomsWithTimers).toSorted());
  });

  it('nothing is left for later', () => {
    const words = /\b(TODO|FIXME|XXX|not yet implemented)\b/;
    expect(product.filter((file) => words.test(text(file)))).toEqual([]);
  });

  it('a test is skipped by needs() alone, which tells the run why; no test has a time limit of its own', () => {
    const words =
      /\.(skip|skipIf|runIf|todo|only)\(|\bskip\(|\{[^}\n]*\btimeout: [\d_]+[^}\n]*\}(, (async )?\(|\)|,$)|^\s*\}, [\d_]+\);|^\s*\},\n\s+\d[\d_]{3,},?\n\s*\);|\bvi\.wait(For|Until)\(/m;
    expect(testFiles.filter((file) => words.test(text(file)))).toEqual([]);
  });

  it('a test makes folders by temporaryDirectory or makeFolder: whatever they make is gone when the run ends', () => {
    expect(testFiles.filter((file) => /\bmkdtemp/.test(text(file)))).toEqual([]);
  });

  it('a test file is in one project, whose script `npm run check:code` or .ci/run runs', () => {
    const found = testFiles
      .filter((file) => !file.endsWith('.suite.ts'))
      .map((file) => {
        const isIn = (globs: readonly string[]) => globs.some((glob) => matchesGlob(file, glob));
        const names = Object.entries(testProjects).filter(([, one]) => isIn(one.include) && !isIn(one.exclude));
        return [file, names.length] as const;
      });
    expect(found.filter(([, projects]) => projects !== 1)).toEqual([]);
    const { scripts } = JSON.parse(text('package.json')) as { scripts: Record<string, string> };
    const inCi = `${scripts['check:code']}\n${text('.ci/run')}`.replace('npm test', 'npm run test');
    for (const [name, { script }] of Object.entries(testProjects)) {
      expect(scripts[script]).toContain(`vitest run --project ${name}`);
      expect(inCi).toMatch(new RegExp(`(npm run ${script}|--project ${name})(?![\\w:])`));
    }
  });

  it('a record is not asked with `in` for a word from outside, since every object has a constructor: Object.hasOwn', () => {
    const asked = product.flatMap((file) =>
      codeOf(file)
        .split('\n')
        .filter((line) =>
          /[\w\])] in (?!keyof)[\w.#(]/.test(line.replace(/\((const|let) \w+ in |\[\w+ in (keyof )?[A-Z]/, '')),
        )
        .map((line) => `${file}: ${line.trim()}`),
    );
    expect(asked).toEqual([]);
  });

  it('bytes are laid out by records of src/wire; who does it by hand says why', () => {
    const numbers = /\.(read|write)(U?Int|Big)\w*\(|\.[gs]et(Big)?(Ui|I)nt\d+\(/;
    const arithmetic = /(>>>?|<<) ?(8|16|24)\b|\[(\w+ \+ )?\d+\]!? ?([&|^](?!&|\|)|<<|>>)/;
    const byHand = product.filter(
      (file) => !file.startsWith('src/wire/') && [numbers, arithmetic].some((words) => words.test(codeOf(file))),
    );
    const places = Object.keys(laidOutByHand);
    const isPlace = (file: string) => (place: string) =>
      place.endsWith('/') ? file.startsWith(place) : file === place;
    expect(byHand.filter((file) => !places.some(isPlace(file)))).toEqual([]);
    // The list only gets shorter: a place where bytes are not laid out by hand any more is taken out.
    expect(places.filter((place) => !byHand.some((file) => isPlace(file)(place)))).toEqual([]);
  });

  it('a file says at most six times by `!` that something is there: a better type says it; who counts by index says why', () => {
    const many = product.filter((file) => (codeOf(file).match(/[\w)\]]!(?=[.;,)\]\s[(])(?!=)/g) ?? []).length > 6);
    expect(many.toSorted()).toEqual(Object.keys(countedByIndex).toSorted());
  });

  it('no inheritance but from Error', () => {
    const heirs = product.flatMap((file) =>
      [...text(file).matchAll(/class \w+ extends (\w+)/g)]
        .filter(([, parent]) => parent !== 'Error')
        .map(([line]) => `${file}: ${line}`),
    );
    expect(heirs.filter((line) => !allowedHeirs.some((allowed) => line.startsWith(allowed)))).toEqual([]);
  });
});

describe('every row has its test', () => {
  it('an opcode, a VPD page, a mode page and a log page: the name of a conformance test begins with clause and name', async () => {
    const heads = new Set((await conformanceTests()).flatMap((name) => name.split(':')[0]!.split(', ')));
    const rows = [...opcodes, ...vpdPages, ...modePages, ...logPages].map(({ spec, name }) => `${spec} ${name}`);
    expect(rows.filter((row) => !heads.has(row))).toEqual([]);
  });

  it('a sense is asked for by a test, as key/code/qualifier', () => {
    const hex = (value: number) => value.toString(16).padStart(2, '0');
    const written = ({ key, asc, ascq }: Sense) => `'${key.toString(16)}/${hex(asc)}/${hex(ascq)}'`;
    const tests = files.filter((file) => file.startsWith('test/')).map(text);
    const unseen = Object.entries<Sense>(sense).filter(([, one]) => !tests.some((test) => test.includes(written(one))));
    expect(unseen.map(([name]) => name)).toEqual([]);
  });

  it('a setting that has an effect, a text key, a preference, a control request and a log event: a test names it', () => {
    const settings = [tpgAttributes, tpgParameters, aclAttributes, lunAttributes, aluaGroupTable].flatMap((table) =>
      Object.entries<Attribute>(table).flatMap(([name, { effect }]) => (effect.startsWith('none') ? [] : [name])),
    );
    const names = [
      ...settings,
      ...Object.keys(keys),
      ...declarations.keys(),
      ...Object.entries(preferenceTable).flatMap(([name, { doc }]) =>
        doc.includes('nothing here asks') ? [] : [name],
      ),
      ...Object.keys(controlRequests),
      ...Object.keys(logEvents),
    ];
    const asking = files.filter(
      (file) => file.startsWith('test/') && !['test/tidy.test.ts', 'test/docs.test.ts'].includes(file),
    );
    const words = [...asking.map(text), ...transcripts].join('\n');
    const unnamed = names.filter((name) => !new RegExp(`(?<![\\w-])${name}(?![\\w-])`).test(words));
    // The list only gets shorter: a name that a test has by now is taken out.
    expect(unnamed.toSorted()).toEqual(untested.toSorted());
  });
});

/** Without comments, and without the texts in quotes: `'key' in value` is a word of ours, and goes along. */
const codeOf = (file: string): string =>
  text(file)
    .replace(/\/\*[\s\S]*?\*\/|(^|\s)\/\/.*$/gm, '')
    .replace(/'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`/g, "''");

/** The names of the SCSI conformance tests as they run, without those of their groups. */
async function conformanceTests(): Promise<string[]> {
  const words = ['list', 'test/conformance/scsi', '--no-static-parse', '--json'];
  const vitest = resolve(project, 'node_modules/vitest/vitest.mjs');
  const { stdout } = await promisify(execFile)(process.execPath, [vitest, ...words], {
    cwd: project,
    maxBuffer: 1 << 24,
  });
  return (JSON.parse(stdout) as { name: string }[]).map(({ name }) => name.split(' > ').at(-1)!);
}

/** The lines that people type into the shell. */
const transcripts = readdirSync(join(project, 'test/transcripts'))
  .filter((name) => name.endsWith('.txt'))
  .map((name) => text(`test/transcripts/${name}`));

/** The names that had no test when the law that asks for one was made. */
const untested: string[] = [
  'color_keyword',
  'color_parameter',
  'connection lost',
  'control client refused',
  'control socket not for the group',
  'inherited socket not used',
  'iscsi connection came too late',
  'iscsi connection dropped',
  'iscsi connection refused',
  'local device',
  'nbd connection failed',
  'nbd connection refused',
  'no control socket',
  'record of lost writes lost',
  'record of lost writes not kept',
  'stopped by force',
];

/** Files that walk arrays by index, on the way of every command or byte, where the compiler cannot see the bounds. */
const countedByIndex: Readonly<Record<string, string>> = {
  'src/wire/layout.ts': 'bytes of a record, whose length was checked',
  'src/backstore/sector-set.ts': 'words of a leaf, by the number of a sector',
  'src/wire/crc32c.ts': 'tables of 256 entries, by a byte',
  'src/system/io-uring.ts': 'entries of rings, by a masked index',
};

/** Files and folders where bytes are taken apart by hand, and why records of wire/ are not for them. */
const laidOutByHand: Readonly<Record<string, string>> = {
  'src/system/':
    'structures of the kernel and of the C library, in the order of the machine; system stands to the left of wire',
  'src/vhost/inflight.ts': 'memory that a next process reads, where the order of writes is the protocol',
  'src/vhost/virtqueue.ts':
    'rings are in memory that is shared with a guest, where what is read when is the protocol, for every command',
  'src/iscsi/fast-path.ts': 'flags are compared as one number, on the way of every READ and WRITE',
  'src/iscsi/login-phase.ts':
    "a login's status is written as the table of RFC 7143 11.13.5 does: class and detail in one number",
  'src/iscsi/protocol-error.ts': 'the same number',
  'src/scsi/lun.ts': 'a LUN as it mostly comes is compared as two numbers, on the way of every command',
  'src/target/access-list.ts': 'IP addresses are numbers, of which a mask takes the upper bits',
  'src/tgt/protocol.ts': "tgtd's messages are in the order of the machine, which is known at run time alone",
};

/** Node's own stream interface can only be had by inheriting. */
const allowedHeirs = ['shell/ui/tty.ts'];
