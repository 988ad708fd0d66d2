/** The Debian package, by dpkg-deb. */

import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { scripts } from './installed.ts';
import { type Architecture, architectures, manifest, output } from './stage.ts';

/** The lowest glibc that the Node of the package runs with (its BUILDING.md), and what its native parts need besides. */
const depends = 'libc6 (>= 2.28), libstdc++6 (>= 8), libgcc-s1';

/** @param root the tree as it is installed @returns the package */
export function buildDeb(root: string, architecture: Architecture): string {
  const debian = architectures[architecture].debian;
  const folder = join(root, 'DEBIAN');
  mkdirSync(folder);
  const size = execFileSync('du', ['-sk', '--exclude=DEBIAN', root], { encoding: 'utf8' }).split('\t')[0];
  writeFileSync(
    join(folder, 'control'),
    `Package: tcli
Version: ${manifest.version}
Architecture: ${debian}
Maintainer: the tcli project <https://github.com/tcli/tcli>
Installed-Size: ${size}
Depends: ${depends}
Recommends: qemu-utils, nbd-client
Suggests: open-iscsi
Section: admin
Priority: optional
Homepage: https://github.com/tcli/tcli
Description: iSCSI target in user space with the shell of targetcli
 ${manifest.description}.
 .
 Nothing is served until it is configured: tcli share FILE, or
 systemctl enable --now tcli.service tcli.socket. The runtime is inside.
 Removing or purging the package keeps /etc/tcli, /var/lib/tcli and every
 volume: they are the administrator's.
`,
  );
  const script = (name: string, when: string, body: string) =>
    writeFileSync(join(folder, name), `#!/bin/sh\nset -e\nif ${when}; then\n${body}\nfi\n`, { mode: 0o755 });
  script('postinst', '[ "$1" = configure ]', scripts.installed);
  script('prerm', '[ "$1" = remove ]', scripts.removing);
  script('postrm', '[ "$1" != upgrade ]', scripts.removed);
  const file = join(output, `tcli_${manifest.version}_${debian}.deb`);
  // Debian 12's dpkg reads it, and Ubuntu's since 18.04: a seventh of the time of xz, and a seventh more to download.
  execFileSync('dpkg-deb', ['--build', '--root-owner-group', '-Zzstd', '-z6', root, file], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  return file;
}
