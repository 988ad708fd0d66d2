/** What a Debian or RPM package installs, laid out as on the machine, beside the program itself: units, man page, completions, pages. */

import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { sbomOf } from './sbom.ts';
import { type Architecture, project } from './stage.ts';

/** Where each distribution looks for zsh's completions. */
const zshFolders = { deb: 'usr/share/zsh/vendor-completions', rpm: 'usr/share/zsh/site-functions' };

/** The maintainer scripts of both kinds of package: what each begins with says when it is run. */
export const scripts = {
  installed: `if command -v systemd-sysusers >/dev/null; then
  systemd-sysusers /usr/lib/sysusers.d/tcli.conf || true
fi
if [ -d /run/systemd/system ]; then
  systemctl daemon-reload || true
  # Initiators come back to the new one; what they ask meanwhile waits.
  systemctl try-restart tcli.service tcli-files.service || true
fi`,
  removing: `if [ -d /run/systemd/system ]; then
  systemctl disable --now tcli.service tcli-files.service tcli.socket tcli-portals.socket || true
fi`,
  removed: `if [ -d /run/systemd/system ]; then
  systemctl daemon-reload || true
fi`,
};

/** @param root the root of the tree, where `usr/lib/tcli` is staged already */
export function layOut(root: string, kind: 'deb' | 'rpm', architecture: Architecture): void {
  const put = (path: string, content: string | Buffer) => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  };
  const node = join(project, 'node_modules/.bin/node');
  const printed = (...words: string[]) => execFileSync(node, words, { cwd: project, encoding: 'utf8' });
  mkdirSync(join(root, 'usr/bin'), { recursive: true });
  symlinkSync('../lib/tcli/shell/bin/tcli', join(root, 'usr/bin/tcli'));
  const units = join(project, 'packaging');
  for (const name of readdirSync(units).filter((one) => /\.(service|socket)$/.test(one)))
    put(
      `usr/lib/systemd/system/${name}`,
      readFileSync(join(units, name), 'utf8')
        .replace('/usr/local/bin/tcli', '/usr/bin/tcli')
        .replace(' Written by: tcli daemon install', ''),
    );
  put('usr/lib/sysusers.d/tcli.conf', readFileSync(join(units, 'sysusers.conf')));
  put('usr/share/man/man1/tcli.1.gz', gzipSync(printed('shell/process/manual.ts'), { level: 9 }));
  const completion = (shell: string) => printed('dist/tcli.js', 'completion', shell);
  put('usr/share/bash-completion/completions/tcli', completion('bash'));
  put(`${zshFolders[kind]}/_tcli`, completion('zsh'));
  put('usr/share/fish/vendor_completions.d/tcli.fish', completion('fish'));
  const pages = 'usr/share/doc/tcli';
  for (const name of readdirSync(join(project, 'docs')).filter((one) => one.endsWith('.md')))
    put(`${pages}/${name}`, readFileSync(join(project, 'docs', name)));
  for (const name of ['README.md', 'SECURITY.md']) cpSync(join(project, name), join(root, pages, name));
  put(`${pages}/changelog.gz`, gzipSync(readFileSync(join(project, 'CHANGELOG.md')), { level: 9 }));
  put(`${pages}/copyright`, copyright());
  put(`${pages}/sbom.cdx.json`, sbomOf([architecture]));
  chmodSync(join(root, 'usr/lib/tcli/node_modules/.bin/node'), 0o755);
}

const copyright = (): string =>
  `tcli is licensed under the Apache License, version 2.0: /usr/lib/tcli/licenses/tcli.txt.
Node.js and what comes with it: /usr/lib/tcli/licenses/node.txt. Others' work in the program: /usr/lib/tcli/licenses/third-party.txt.

${readFileSync(join(project, 'LICENSE'), 'utf8')}`;
