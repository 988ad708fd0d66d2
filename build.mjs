// Builds dist/: two programs (tcli and the interactive shell's engine thread) and the library, sharing chunks.
// --splitting matters: without it every one-shot would pay for loading Ink.
import { rmSync } from 'node:fs';
import { build } from 'esbuild';

rmSync('dist', { recursive: true, force: true });
await build({
  entryPoints: { tcli: 'shell/main.tsx', engine: 'shell/engine-thread.ts', index: 'src/index.ts' },
  outdir: 'dist',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node22',
  // Ink and React are bundled: the first key is drawn in half the time. What is optional or rarely used stays outside.
  external: ['koffi', '@node-rs/crc32', 'react-devtools-core', 'enquirer'],
  banner: {
    js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
  },
  sourcemap: 'linked',
  minifySyntax: true,
  minifyWhitespace: true,
  define: { 'process.env.NODE_ENV': '"production"' },
  logLevel: 'warning',
});
