// Another commit of this program, built in a worktree of its own, to be measured beside this one.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../..');

export interface BuiltCommit {
  readonly name: string;
  /** The launcher of the commit's program. */
  readonly program: string;
  remove(): void;
}

/** @param commit whatever git takes for one. The packages are those that are installed here. */
export function buildCommit(commit: string): BuiltCommit {
  const git = (...words: string[]) => execFileSync('git', ['-C', root, ...words], { encoding: 'utf8' }).trim();
  const name = git('rev-parse', '--short', `${commit}^{commit}`);
  const folder = mkdtempSync(join(tmpdir(), 'tcli-bench-'));
  const tree = join(folder, name);
  const remove = () => {
    git('worktree', 'remove', '--force', tree);
    rmSync(folder, { recursive: true, force: true });
  };
  git('worktree', 'add', '--quiet', '--detach', tree, name);
  try {
    symlinkSync(join(root, 'node_modules'), join(tree, 'node_modules'));
    execFileSync(process.execPath, ['build.mjs'], { cwd: tree, stdio: ['ignore', 'ignore', 'inherit'] });
  } catch (error) {
    remove();
    throw error;
  }
  return { name, program: join(tree, 'shell/bin/tcli'), remove };
}
