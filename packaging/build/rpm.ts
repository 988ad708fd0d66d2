/** The RPM package, by rpmbuild. */

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { scripts } from './installed.ts';
import { type Architecture, architectures, manifest, output } from './stage.ts';

/** @param root the tree as it is installed @returns the package */
export function buildRpm(root: string, architecture: Architecture): string {
  const target = architectures[architecture].rpm;
  const work = mkdtempSync(join(tmpdir(), 'tcli-rpm-'));
  // Nothing is compiled, stripped or looked into: what Node's makers have built stays as it is.
  const spec = `%global debug_package %{nil}
%global __os_install_post %{nil}
%global _build_id_links none
%global _binary_payload w6.zstdio
Name: tcli
Version: ${manifest.version}
Release: 1
Summary: iSCSI target in user space with the shell of targetcli
License: Apache-2.0
URL: https://github.com/tcli/tcli
AutoReqProv: no
Requires: glibc >= 2.28, libstdc++, libgcc
Recommends: qemu-img, nbd

%description
${manifest.description}.
Nothing is served until it is configured: tcli share FILE, or
systemctl enable --now tcli.service tcli.socket. The runtime is inside.
Removing the package keeps /etc/tcli, /var/lib/tcli and every volume.

%install
cp -a ${root}/. %{buildroot}

%post
${scripts.installed}

%preun
if [ "$1" = 0 ]; then
${scripts.removing}
fi

%postun
${scripts.removed}

%files
%defattr(-,root,root)
/usr/bin/tcli
/usr/lib/tcli
/usr/lib/systemd/system/*
/usr/lib/sysusers.d/tcli.conf
/usr/share/bash-completion/completions/tcli
/usr/share/zsh/site-functions/_tcli
/usr/share/fish/vendor_completions.d/tcli.fish
%doc /usr/share/doc/tcli
/usr/share/man/man1/tcli.1.gz
`;
  writeFileSync(join(work, 'tcli.spec'), spec);
  const words = ['-bb', '--quiet', '--target', target, '--define', `_topdir ${work}`, join(work, 'tcli.spec')];
  execFileSync('rpmbuild', words, { stdio: ['ignore', 'ignore', 'inherit'] });
  const name = `tcli-${manifest.version}-1.${target}.rpm`;
  const file = join(output, name);
  execFileSync('mv', [join(work, 'RPMS', target, name), file]);
  rmSync(work, { recursive: true });
  return file;
}
