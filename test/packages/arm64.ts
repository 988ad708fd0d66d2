/**
 * The Debian package and the single-file program for arm64, by qemu-user: each says its version, and serves a disk whose blocks an
 * initiator of this machine writes and reads. Not tested: a real arm64, and the RPM, whose files are those of the Debian package.
 */

import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { manifest, output } from '../../packaging/build/stage.ts';

const run = (command: string, ...words: string[]): string =>
  execFileSync(command, words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'], maxBuffer: 1 << 26 });

/** The libraries that both are linked with, besides Node. */
const libraries = 'libc6,libstdc++6,libgcc-s1';

/** Proves both programs. @param work a folder for what they need */
export async function arm64Serves(
  work: string,
  port: number,
  check: (what: string, isSo: boolean) => void,
): Promise<void> {
  const root = join(work, 'arm64');
  run(
    'mmdebstrap',
    '--quiet',
    '--variant=extract',
    '--architectures=arm64',
    `--include=${libraries}`,
    'bookworm',
    root,
  );
  const deb = join(work, 'arm64-deb');
  run('dpkg-deb', '-x', join(output, `tcli_${manifest.version}_arm64.deb`), deb);
  const program = join(deb, 'usr/lib/tcli');
  const single = join(output, `tcli-${manifest.version}-linux-arm64`);
  const programs = [
    ['Debian package', [join(program, 'node_modules/.bin/node'), join(program, 'dist/tcli.js')]],
    ['single-file program', [single]],
  ] as const;
  for (const [name, words] of programs) {
    const folder = join(work, name.split(' ', 1)[0]!);
    mkdirSync(folder, { mode: 0o700 });
    const env = {
      PATH: process.env['PATH'],
      HOME: folder,
      TCLI_HOME: join(folder, 'home'),
      TCLI_UNPACK: join(folder, 'cache'),
    };
    const qemu = ['-L', root, ...words];
    const said = execFileSync('qemu-aarch64-static', [...qemu, '--version'], { env, encoding: 'utf8' });
    check(`arm64: ${name}: --version`, said.includes(manifest.version));
    const lines = [
      '/backstores/ramdisk create rd0 8M',
      `/iscsi create iqn.2003-01.org.example:arm64`,
      '/iscsi/iqn.2003-01.org.example:arm64/tpg1/luns create /backstores/ramdisk/rd0',
      '/iscsi/iqn.2003-01.org.example:arm64/tpg1/portals delete 0.0.0.0 3260',
      `/iscsi/iqn.2003-01.org.example:arm64/tpg1/portals create 127.0.0.1 ${port}`,
      '/iscsi/iqn.2003-01.org.example:arm64/tpg1 set attribute generate_node_acls=1 demo_mode_write_protect=0',
    ];
    execFileSync('qemu-aarch64-static', [...qemu, ...lines.flatMap((line) => ['-c', line])], { env, stdio: 'inherit' });
    const serving = spawn('qemu-aarch64-static', [...qemu, 'serve'], { env, stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = new Promise<void>((done) => serving.once('close', () => done()));
    try {
      await Promise.race([new Promise((ready) => serving.stdout.once('data', ready)), ended]);
      const url = `iscsi://127.0.0.1:${port}/iqn.2003-01.org.example:arm64/0`;
      const answer = run('qemu-io', '-f', 'raw', '-c', 'write -P 0x5a 1M 64k', '-c', 'read -P 0x5a 1M 64k', url);
      check(
        `arm64: ${name}: a ramdisk is written and read`,
        answer.includes('read 65536/65536') && !answer.includes('failed'),
      );
    } finally {
      serving.kill('SIGTERM');
      await ended;
    }
  }
  check('arm64: native parts were unpacked by the single-file program', existsSync(join(work, 'single-file/cache')));
}
