// Writes dist/types: what TypeScript has to know of the library, and nothing else of the program.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const project = dirname(fileURLToPath(import.meta.url));
const all = mkdtempSync(join(tmpdir(), 'tcli-types-'));
const compiler = join(project, 'node_modules/typescript/bin/tsc');
const { stdout } = spawnSync(process.execPath, [compiler, '-p', 'tsconfig.types.json', '--outDir', all], {
  cwd: project,
  encoding: 'utf8',
});

// The compiler declares every file of the program, and some that it cannot name things in. The types of the library are the
// files that its own one leads to.
const imported = /(\bfrom |\bimport\()'(\.[^']+)\.ts'/g;
const wanted = new Set();
const want = (file) => {
  if (wanted.has(file)) return;
  wanted.add(file);
  for (const [, , path] of readFileSync(file, 'utf8').matchAll(imported)) want(join(dirname(file), `${path}.d.ts`));
};
want(join(all, 'library/index.d.ts'));
rmSync(join(project, 'dist/types'), { recursive: true, force: true });
for (const file of wanted) {
  const name = relative(all, file);
  const wrong = stdout.split('\n').filter((line) => line.startsWith(`src/${name.replace('.d.ts', '.ts')}(`));
  if (wrong.length > 0) throw new Error(wrong.join('\n'));
  // A consumer's compiler may not allow .ts in an import.
  writeFileSync(file, readFileSync(file, 'utf8').replace(imported, "$1'$2.js'"));
  cpSync(file, join(project, 'dist/types', name));
}
rmSync(all, { recursive: true });
