// Builds dist/: four programs (tcli, the interactive shell's engine thread, the thread of a loop, the process of a local device), sharing chunks, and the library.
// --splitting matters: without it every one-shot would pay for loading Ink, and a client of a daemon for the engine.
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { build } from 'esbuild';

rmSync('dist', { recursive: true, force: true });
const options = {
  outdir: 'dist',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node22',
  // Whatever is not optional is bundled: less is installed, and the first key is drawn in half the time.
  alias: { 'when-exit': './shell/process/when-exit.ts' },
  external: ['koffi', '@node-rs/crc32', 'react-devtools-core'],
  banner: {
    js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
  },
  sourcemap: 'linked',
  minifySyntax: true,
  minifyWhitespace: true,
  define: {
    'process.env.NODE_ENV': '"production"',
    TCLI_VERSION: JSON.stringify(JSON.parse(readFileSync('package.json', 'utf8')).version),
  },
  metafile: true,
  logLevel: 'warning',
};
const program = await build({
  ...options,
  entryPoints: {
    tcli: 'shell/process/main.tsx',
    engine: 'shell/process/engine-thread.ts',
    loop: 'src/loops/loop-thread.ts',
    device: 'src/nbd/device-process.ts',
  },
});
// By itself: what the library exports would count as used by every program.
const library = await build({ ...options, entryPoints: { index: 'src/library/index.ts' } });

// Of a package that has no file with them.
const wordsOf = {
  MIT: (owner) => `Copyright (c) ${owner}

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation files (the
"Software"), to deal in the Software without restriction, including without limitation the rights to use, copy, modify, merge, publish,
distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is furnished to do so, subject to
the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF
MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY
CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE
SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.`,
};

// What others have written and dist has in it, with the words that they ask for.
const bundled = new Set(
  [program, library]
    .flatMap(({ metafile }) => Object.keys(metafile.inputs))
    .flatMap((input) => /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input)?.[1] ?? []),
);
const notices = [...bundled].toSorted().map((folder) => {
  const { name, version, license, author } = JSON.parse(readFileSync(`${folder}/package.json`, 'utf8'));
  const file = readdirSync(folder).find((one) => /^licen[cs]e/i.test(one));
  const words = file ? readFileSync(`${folder}/${file}`, 'utf8').trim() : wordsOf[license]?.(author?.name ?? author);
  return `${name} ${version} (${license})\n\n${words ?? ''}\n`;
});
writeFileSync('dist/THIRD-PARTY-LICENSES.txt', notices.join(`\n${'-'.repeat(80)}\n\n`));
