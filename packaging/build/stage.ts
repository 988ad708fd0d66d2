/**
 * What is installed, as every package has it: the program as build.mjs made it, the Node that package-lock.json names for an
 * architecture, and the native parts for that. Nothing of it is compiled here.
 */

import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

/** What Node, Debian and RPM call it. */
export const architectures = {
  x64: { debian: 'amd64', rpm: 'x86_64', container: 'amd64' },
  arm64: { debian: 'arm64', rpm: 'aarch64', container: 'arm64' },
} as const;
export type Architecture = keyof typeof architectures;

/** The checkout. */
export const project = resolve(import.meta.dirname, '../..');
/** Where packages are written. */
export const output = join(project, 'packages');

/** What package.json says. */
export const manifest: { readonly version: string; readonly description: string } = JSON.parse(
  readFileSync(join(project, 'package.json'), 'utf8'),
);

/** Whole folders that are for who compiles or reads, by package. */
const dropped: Readonly<Record<string, readonly string[]>> = {
  koffi: ['src', 'vendor', 'doc', 'lib', 'cnoke.cjs'],
};

/**
 * Puts the program into `folder`: `dist`, `shell/bin/tcli`, `node_modules` with Node at `.bin/node`, and the units.
 * @param folder it is made, and must not be there
 */
export function stage(folder: string, architecture: Architecture): void {
  mkdirSync(folder, { recursive: true });
  for (const name of ['package.json', 'package-lock.json', '.npmrc', 'LICENSE'])
    cpSync(join(project, name), join(folder, name));
  const words = ['ci', '--omit=dev', '--ignore-scripts', '--silent', '--prefer-offline', '--no-audit'];
  execFileSync('npm', [...words, '--os=linux', `--cpu=${architecture}`, '--libc=glibc'], {
    cwd: folder,
    stdio: 'inherit',
  });
  const modules = join(folder, 'node_modules');
  const runtime = join(modules, `node-linux-${architecture}`);
  rmSync(join(modules, '.bin'), { recursive: true, force: true });
  mkdirSync(join(modules, '.bin'));
  renameSync(join(runtime, 'bin/node'), join(modules, '.bin/node'));
  mkdirSync(join(folder, 'licenses'));
  renameSync(join(runtime, 'LICENSE'), join(folder, 'licenses/node.txt'));
  rmSync(runtime, { recursive: true });
  for (const [name, folders] of Object.entries(dropped))
    for (const one of folders) rmSync(join(modules, name, one), { recursive: true, force: true });
  // Of koffi's two builds, the one for the C library that Node's own is made for.
  const koffi = join(modules, `@koromix/koffi-linux-${architecture}`);
  for (const name of readdirSync(koffi)) if (name.startsWith('musl')) rmSync(join(koffi, name), { recursive: true });
  for (const name of ['.package-lock.json']) rmSync(join(modules, name), { force: true });
  rmSync(join(folder, 'package-lock.json'));
  rmSync(join(folder, '.npmrc'));
  writeFileSync(
    join(folder, 'package.json'),
    `${JSON.stringify({ name: 'tcli', version: manifest.version, type: 'module' })}\n`,
  );
  const dist = join(project, 'dist');
  if (!existsSync(join(dist, 'tcli.js'))) throw new Error('dist is missing; run: npm run build');
  mkdirSync(join(folder, 'dist'));
  for (const name of readdirSync(dist).filter((one) => one.endsWith('.js')))
    cpSync(join(dist, name), join(folder, 'dist', name));
  cpSync(join(dist, 'THIRD-PARTY-LICENSES.txt'), join(folder, 'licenses/third-party.txt'));
  renameSync(join(folder, 'LICENSE'), join(folder, 'licenses/tcli.txt'));
  cpSync(join(project, 'shell/bin'), join(folder, 'shell/bin'), { recursive: true });
  mkdirSync(join(folder, 'packaging/user'), { recursive: true });
  for (const below of ['packaging', 'packaging/user'])
    for (const name of readdirSync(join(project, below)).filter((one) => /\.(service|socket)$/.test(one)))
      cpSync(join(project, below, name), join(folder, below, name));
}
