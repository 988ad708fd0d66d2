/** Programs and threads of tests, built: as sources they would be compiled anew whenever one is started, for a second each. */

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('../..', import.meta.url));
/** Inside the project, so that what is built there finds its packages. */
export const built = join(root, 'node_modules', '.cache', 'tcli-test');

/** Builds programs (paths from the project's root) as build.mjs does; @returns the path of each built file, in the same order. */
export async function buildPrograms(name: string, entries: readonly string[]): Promise<string[]> {
  const outdir = join(built, name);
  mkdirSync(outdir, { recursive: true });
  const entryPoints = entries.map((entry) => ({
    in: join(root, entry),
    out: entry.replace(/^.*\//, '').replace(/\.\w+$/, ''),
  }));
  await build({
    entryPoints,
    outdir,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node22',
    packages: 'external',
    define: { 'process.env.NODE_ENV': '"production"' },
    logLevel: 'warning',
  });
  return entryPoints.map(({ out }) => join(outdir, `${out}.js`));
}

/** Builds the entry of the threads that loops have, for the test file that is called `name`. */
export async function buildLoopThread(name: string, source = 'src/loops/loop-thread.ts'): Promise<URL> {
  const [path = ''] = await buildPrograms(name, [source]);
  return pathToFileURL(path);
}
