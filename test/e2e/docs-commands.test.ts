// The command lines for the server in the pages by task, run as they stand there (blocks that follow `<!-- run -->`). Blocks for other
// systems say so (`<!-- elsewhere: … -->`, test/docs.test.ts), and are not tested.

import { readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { needs } from '../support/needs.ts';
import { quickHome, run } from '../support/tcli.ts';

const root = resolve(import.meta.dirname, '../..');
const pages = readdirSync(join(root, 'docs')).flatMap((name) => {
  if (!name.endsWith('.md')) return [];
  const text = readFileSync(join(root, 'docs', name), 'utf8');
  const lines = [...text.matchAll(/<!-- run -->\n```sh\n(.*?)```/gs)].flatMap(([, block = '']) =>
    block.trim().split('\n'),
  );
  return lines.length > 0 ? [[name, lines] as const] : [];
});

it.each(pages)(
  'every line of docs/%s for the server does what it says',
  needs('mounts', 'ip'),
  async (_name, lines) => {
    const home = quickHome();
    symlinkSync(join(root, 'shell/bin/tcli'), join(home, 'tcli'));
    onTestFinished(async () => void (await run(join(home, 'tcli'), ['--home', home, 'daemon', 'stop', '--force'])));
    // A machine's network and /srv of its own.
    const script = ['ip link set lo up', 'mount -t tmpfs tmpfs /srv', 'set -ex', ...lines].join('\n');
    const env = { PATH: `${home}:${process.env['PATH']}`, TCLI_HOME: home };
    const { status, stdout, stderr } = await run('unshare', ['--net', '--mount', 'sh', '-c', script], { env });
    expect([status, status === 0 ? '' : stdout + stderr]).toEqual([0, '']);
  },
);
