// `npm run package [deb|rpm|single|image …] [x64|arm64 …]`: writes packages to packages/, all kinds for both architectures when
// nothing is said; the image only for the architecture of this machine, whose Debian has its libraries.

import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { buildDeb } from './deb.ts';
import { buildImage } from './image.ts';
import { layOut } from './installed.ts';
import { buildRpm } from './rpm.ts';
import { buildSingle } from './single.ts';
import { type Architecture, architectures, output, stage } from './stage.ts';

const kinds = ['deb', 'rpm', 'single', 'image'] as const;
type PackageKind = (typeof kinds)[number];

const builders = { deb: buildDeb, rpm: buildRpm };

function buildPackage(kind: PackageKind, staged: string, architecture: Architecture): string {
  if (kind === 'single') return buildSingle(staged, architecture);
  if (kind === 'image') return buildImage(staged, architecture);
  const root = mkdtempSync(join(tmpdir(), 'tcli-root-'));
  try {
    chmodSync(root, 0o755);
    cpSync(staged, join(root, 'usr/lib/tcli'), { recursive: true, verbatimSymlinks: true });
    layOut(root, kind, architecture);
    return builders[kind](root, architecture);
  } finally {
    rmSync(root, { recursive: true });
  }
}

const words = process.argv.slice(2);
const all = Object.keys(architectures) as Architecture[];
const strange = words.find((word) => ![...kinds, ...all].includes(word as never));
if (strange !== undefined) throw new Error(`${strange}: neither ${kinds.join(', ')} nor ${all.join(', ')}`);
const chosen = <T extends string>(from: readonly T[]): readonly T[] => {
  const named = from.filter((one) => words.includes(one));
  return named.length > 0 ? named : from;
};
mkdirSync(output, { recursive: true });
const work = mkdtempSync(join(tmpdir(), 'tcli-stage-'));
for (const architecture of chosen(all)) {
  const staged = join(work, architecture);
  stage(staged, architecture);
  for (const kind of chosen(kinds)) {
    if (kind === 'image' && architecture !== process.arch) continue;
    const file = buildPackage(kind, staged, architecture);
    console.log(`${basename(file)}: ${(statSync(file).size / 2 ** 20).toFixed(1)} MiB`);
  }
}
rmSync(work, { recursive: true });
