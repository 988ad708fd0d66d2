/**
 * What is in a package, as CycloneDX: what `npm sbom` says of package-lock.json, without what only builds and tests. Run by itself
 * (`prepack`), it prints the list of the npm package.
 */

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Architecture, manifest, project } from './stage.ts';

/** One entry of the list. */
export interface Component {
  readonly name: string;
  readonly version: string;
  readonly 'bom-ref': string;
}

interface Bom {
  readonly metadata: { readonly component: Component };
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

/** What is installed beside it, for each of some architectures: Node, and the native parts. */
const isInstalled = ({ name }: Component, all: readonly Architecture[]): boolean =>
  ['koffi', '@node-rs/crc32'].includes(name) ||
  all.some((one) =>
    [`node-linux-${one}`, `@koromix/koffi-linux-${one}`, `@node-rs/crc32-linux-${one}-gnu`].includes(name),
  );

/**
 * The text of the list.
 * @param all the architectures whose native parts are in it
 * @param besides what does not come from npm
 */
export function sbomOf(all: readonly Architecture[], besides: readonly Component[] = []): string {
  const words = ['sbom', '--sbom-format=cyclonedx', '--sbom-type=application', '--package-lock-only'];
  const bom: Bom = JSON.parse(execFileSync('npm', words, { cwd: project, encoding: 'utf8', maxBuffer: 1 << 26 }));
  const inside = bundled();
  const components = bom.components.filter((one) => inside.has(`${one.name}@${one.version}`) || isInstalled(one, all));
  // npm calls it by the name of the folder.
  const own = `pkg:npm/tcli@${manifest.version}`;
  const named = (ref: string) => (ref === bom.metadata.component['bom-ref'] ? own : ref);
  const refs = new Set([own, ...components.map((one) => one['bom-ref'])]);
  const dependencies = bom.dependencies
    .filter(({ ref }) => refs.has(named(ref)))
    .map(({ ref, dependsOn }) => ({ ref: named(ref), dependsOn: dependsOn.filter((one) => refs.has(one)) }));
  const component = { ...bom.metadata.component, 'bom-ref': own, name: 'tcli', version: manifest.version, purl: own };
  const metadata = { ...bom.metadata, component };
  return `${JSON.stringify({ ...bom, metadata, components: [...components, ...besides], dependencies }, null, 2)}\n`;
}

/** A package of Debian as an entry of the list. */
export const debianComponent = (name: string, version: string, architecture: string): Component & { purl: string } => {
  const purl = `pkg:deb/debian/${name}@${encodeURIComponent(version)}?arch=${architecture}`;
  return { ...{ type: 'library', name, version, purl }, 'bom-ref': purl };
};

if (process.argv[1] === import.meta.filename) process.stdout.write(sbomOf(['x64', 'arm64']));
