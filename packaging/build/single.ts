/**
 * The single-file program: Node as it comes, with our files in it (https://nodejs.org/api/single-executable-applications.html).
 * `./tcli` needs nothing else on a machine with glibc.
 */

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sbomOf } from './sbom.ts';
import { type Architecture, manifest, output, project } from './stage.ts';

/** What Node looks for in its own file; its documentation names it. */
const fuse = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2';

/** @param staged as stage.ts made it @returns the program */
export function buildSingle(staged: string, architecture: Architecture): string {
  const work = mkdtempSync(join(tmpdir(), 'tcli-single-'));
  const index: Record<string, readonly [offset: number, length: number, sha256: string]> = {};
  const pieces: Buffer[] = [];
  let offset = 0;
  const names = readdirSync(staged, { recursive: true, encoding: 'utf8' }).toSorted();
  const files = names
    .map((name) => [name, join(staged, name)] as const)
    .filter(([name, path]) => name !== 'node_modules/.bin/node' && statSync(path).isFile());
  for (const [name, path] of [...files, ['start.cjs', join(import.meta.dirname, 'start.cjs')] as const]) {
    const bytes = readFileSync(path);
    index[name] = [offset, bytes.length, createHash('sha256').update(bytes).digest('hex')];
    offset += bytes.length;
    pieces.push(bytes);
  }
  writeFileSync(join(work, 'index'), JSON.stringify(index));
  writeFileSync(join(work, 'files'), Buffer.concat(pieces));
  const config = {
    main: join(import.meta.dirname, 'single-main.cjs'),
    output: join(work, 'blob'),
    disableExperimentalSEAWarning: true,
    // Those of shell/bin/tcli, which says why.
    execArgv: ['--max-semi-space-size=4', '--no-allocation-site-pretenuring'],
    assets: { index: join(work, 'index'), files: join(work, 'files') },
  };
  writeFileSync(join(work, 'config.json'), JSON.stringify(config));
  // The blob is the same for every architecture: neither a snapshot nor a code cache is in it.
  const node = join(project, 'node_modules/.bin/node');
  execFileSync(node, ['--experimental-sea-config', join(work, 'config.json')], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const program = join(output, `tcli-${manifest.version}-linux-${architecture}`);
  cpSync(join(staged, 'node_modules/.bin/node'), program);
  const postject = join(project, 'node_modules/postject/dist/cli.js');
  const words = [postject, program, 'NODE_SEA_BLOB', join(work, 'blob'), '--sentinel-fuse', fuse];
  execFileSync(node, words, { stdio: ['ignore', 'ignore', 'inherit'] });
  chmodSync(program, 0o755);
  // Nothing can stand beside it: its list does.
  writeFileSync(`${program}.cdx.json`, sbomOf([architecture]));
  rmSync(work, { recursive: true });
  return program;
}
