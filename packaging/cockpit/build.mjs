// Builds dist/, the folder that Cockpit serves: copy it to /usr/share/cockpit/tcli.
import { cpSync, rmSync } from 'node:fs';
import { build } from 'esbuild';

const folder = import.meta.dirname;
rmSync(`${folder}/dist`, { recursive: true, force: true });
await build({
  entryPoints: { index: `${folder}/src/index.tsx` },
  outdir: `${folder}/dist`,
  bundle: true,
  format: 'esm',
  target: 'es2022',
  minify: true,
  jsx: 'automatic',
  define: { 'process.env.NODE_ENV': '"production"' },
  loader: { '.woff2': 'file', '.svg': 'file', '.jpg': 'file', '.png': 'file' },
  assetNames: 'assets/[name]',
  logLevel: 'warning',
});
for (const file of ['index.html', 'manifest.json']) cpSync(`${folder}/${file}`, `${folder}/dist/${file}`);
