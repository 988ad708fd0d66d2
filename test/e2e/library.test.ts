/**
 * The package as its users have it: packed, unpacked into a project of theirs, its types compiled as they would, the README's
 * lines run. What the library does: test/library/library.test.ts. Installing it from the registry: test/packages.
 */

import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { beforeAll, expect, it, onTestFinished } from 'vitest';
import { needs } from '../support/needs.ts';
import { makeFolder, removeFolder } from '../support/scratch.ts';
import { freePort, run } from '../support/tcli.ts';

const project = resolve(import.meta.dirname, '../..');
const blockOf = (page: string) =>
  /```ts\n(import \{ openTcli \}.*?)```/s.exec(readFileSync(join(project, page), 'utf8'))![1]!;

let consumer: string;

beforeAll(() => {
  consumer = makeFolder();
  execFileSync(process.execPath, ['types.mjs'], { cwd: project });
  const packed = join(consumer, 'node_modules/tcli');
  mkdirSync(packed, { recursive: true });
  // Without its scripts, which would build dist anew under the other tests.
  const words = ['pack', '--ignore-scripts', '--silent', '--pack-destination', consumer];
  const name = execFileSync('npm', words, { cwd: project, encoding: 'utf8' }).trim();
  execFileSync('tar', ['-xzf', join(consumer, name), '--strip-components=1', '-C', packed]);
  writeFileSync(join(consumer, 'package.json'), '{ "type": "module" }');
  writeFileSync(join(consumer, 'README.ts'), blockOf('README.md'));
  writeFileSync(join(consumer, 'page.ts'), blockOf('docs/library.md'));
  return () => removeFolder(consumer);
});

it('the package has the program, the library, its types and its pages, and nothing of the tests', () => {
  const packed = join(consumer, 'node_modules/tcli');
  expect(readdirSync(packed).toSorted()).toEqual([
    'CHANGELOG.md',
    'LICENSE',
    'README.md',
    'SECURITY.md',
    'dist',
    'docs',
    'package.json',
    'packaging',
    'shell',
  ]);
  expect(readdirSync(join(packed, 'dist/types'), { recursive: true }).toSorted()).toEqual([
    'errors.d.ts',
    'library',
    'library/creations.d.ts',
    'library/index.d.ts',
    'library/saved.d.ts',
    'library/settings.d.ts',
    'library/shapes.d.ts',
    'library/tree.d.ts',
  ]);
  const manifest = JSON.parse(readFileSync(join(packed, 'package.json'), 'utf8'));
  expect(manifest).not.toHaveProperty('private');
  expect(manifest.repository.url).toMatch(/^git\+https:/);
});

/** Mistakes of a consumer: the compiler refuses each line. */
const wrong = `import { openTcli } from 'tcli';
const tcli = await openTcli();
const tpg = tcli.iscsi.targets.at('iqn.2003-01.org.example:a').tpgs.at(1);
// @ts-expect-error
await tpg.set('attribute', { generate_node_acl: 1 });
// @ts-expect-error
await tpg.set('attribute', { authentication: 'yes' });
// @ts-expect-error
await tcli.backstores.fileio.create({ name: 'disk0' });
// @ts-expect-error
await tpg.enabel();
// @ts-expect-error
tcli.loopback.targets.at('naa.5001405c81b9d906').tpgs;
`;

it.each([
  ['node16', 'node16'],
  ['preserve', 'bundler'],
])(
  "the library's types are right for a consumer with module %s and moduleResolution %s",
  async (module, moduleResolution) => {
    writeFileSync(join(consumer, 'wrong.ts'), wrong);
    const options = { module, moduleResolution, target: 'es2022', lib: ['es2022', 'dom'], types: [], strict: true };
    const config = { compilerOptions: { ...options, noEmit: true, skipLibCheck: false }, include: ['*.ts'] };
    writeFileSync(join(consumer, 'tsconfig.json'), JSON.stringify(config));
    const compiled = await run(process.execPath, [join(project, 'node_modules/typescript/bin/tsc'), '-p', consumer]);
    expect(compiled).toMatchObject({ status: 0, stdout: '' });
  },
);

it("the README's ten lines serve a disk that libiscsi finds", needs('iscsi-inq'), async () => {
  const port = await freePort();
  const lines = readFileSync(join(consumer, 'README.ts'), 'utf8');
  expect(lines.trimEnd().split('\n').filter(Boolean)).toHaveLength(10);
  const here = lines
    .replace("'/tmp/disk0.img'", `'${join(consumer, 'disk0.img')}'`)
    .replace("'0.0.0.0'", `'127.0.0.1', ip_port: ${port}`);
  writeFileSync(join(consumer, 'app.ts'), here);
  const env = { ...process.env, TCLI_HOME: join(consumer, 'home') };
  const app = spawn(process.execPath, [join(consumer, 'app.ts')], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void app.kill('SIGKILL'));
  const wwn = await new Promise<string>((resolve) => app.stdout.once('data', (data) => resolve(String(data).trim())));
  expect(wwn).toMatch(/^iqn\.2003-01\.org\.linux-iscsi\./);
  const inquiry = await run('iscsi-inq', [`iscsi://127.0.0.1:${port}/${wwn}/0`]);
  expect(inquiry).toMatchObject({ status: 0, stdout: expect.stringContaining('Product:FILEIO') });
});
