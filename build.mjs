// Builds dist/: four programs (tcli, the interactive shell's engine thread, the thread of a loop, the process of a local device), sharing chunks, and the library.
// --splitting matters: without it every one-shot would pay for loading Ink, and a client of a daemon for the engine.
import { readFileSync, rmSync } from 'node:fs';
import { build } from 'esbuild';

rmSync('dist', { recursive: true, force: true });
const options = {
  outdir: 'dist',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node22',
  // Ink and React are bundled: the first key is drawn in half the time. What is optional or rarely used stays outside.
  alias: { 'when-exit': './shell/process/when-exit.ts' },
  external: ['koffi', '@node-rs/crc32', 'react-devtools-core', 'enquirer'],
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
  logLevel: 'warning',
};
await build({
  ...options,
  entryPoints: {
    tcli: 'shell/process/main.tsx',
    engine: 'shell/process/engine-thread.ts',
    loop: 'src/loops/loop-thread.ts',
    device: 'src/nbd/device-process.ts',
  },
});
// By itself: what the library exports would count as used by every program.
await build({ ...options, entryPoints: { index: 'src/library/index.ts' } });
