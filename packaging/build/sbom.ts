/** What is in a package, as CycloneDX: what `npm sbom` says of package-lock.json, without what only builds and tests. */

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Architecture, project } from './stage.ts';

interface Component {
  readonly name: string;
  readonly version: string;
  readonly 'bom-ref': string;
}

interface Bom {
  readonly components: readonly Component[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[];
}

/** `name@version` of what build.mjs has put into dist. */
const bundled = (): Set<string> => {
  const notices = readFileSync(join(project, 'dist/THIRD-PARTY-LICENSES.txt'), 'utf8');
  return new Set(
    [...notices.matchAll(/^(\S+) (\d+\.\d+\.\d+\S*) \(/gm)].map(([, name, version]) => `${name}@${version}`),
  );
};

/** What is installed beside it, for an architecture: Node, and the native parts. */
const isInstalled = ({ name }: Component, architecture: Architecture): boolean =>
  ['koffi', '@node-rs/crc32'].includes(name) ||
  [
    `node-linux-${architecture}`,
    `@koromix/koffi-linux-${architecture}`,
    `@node-rs/crc32-linux-${architecture}-gnu`,
  ].includes(name);

/** The text of the list. */
export function sbomOf(architecture: Architecture): string {
  const words = ['sbom', '--sbom-format=cyclonedx', '--sbom-type=application', '--package-lock-only'];
  const bom: Bom = JSON.parse(execFileSync('npm', words, { cwd: project, encoding: 'utf8', maxBuffer: 1 << 26 }));
  const inside = bundled();
  const components = bom.components.filter(
    (one) => inside.has(`${one.name}@${one.version}`) || isInstalled(one, architecture),
  );
  const refs = new Set(components.map((one) => one['bom-ref']));
  const dependencies = bom.dependencies
    .filter(({ ref }) => refs.has(ref))
    .map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter((one) => refs.has(one)) }));
  return `${JSON.stringify({ ...bom, components, dependencies }, null, 2)}\n`;
}
