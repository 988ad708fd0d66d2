// The rooms (files) that READs, WRITEs, one line and one boot walk through: `node test/bench/walk.ts [WALK …]` (walks.ts names them).
// Every function of src/ and shell/ says that it is entered. The output has: `calls`, the functions entered; `rooms`, their files;
// `moves`, the number of times that the walk enters another file than the one before; `returns`, the moves into a file that was left
// before. wire/ and pdu.ts are not counted: they are the words that all rooms speak. No time is measured.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { build, type Plugin, transform } from 'esbuild';
import { parseAstAsync } from 'vitest/node';

/** A function that was entered. */
export interface WalkStep {
  readonly room: string;
  readonly name: string;
}

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    /** Prints every function, not the rooms alone. */
    calls: { type: 'boolean', default: false },
  },
});

const isPassedOver = (room: string): boolean => room.startsWith('src/wire/') || room === 'src/iscsi/pdu.ts';

/** A node of the syntax tree (ESTree), as far as it matters here. */
interface Syntax {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly body?: Syntax | readonly Syntax[];
  readonly id?: { readonly name?: string };
  readonly key?: { readonly name?: string };
}

/** Makes every function of a file call `globalThis.walked` first. */
async function instrumented(room: string, source: string): Promise<string> {
  const loader = room.endsWith('x') ? 'tsx' : 'ts';
  const { code } = await transform(source, { loader, format: 'esm', target: 'esnext', jsx: 'automatic' });
  const insertions: { readonly at: number; readonly text: string }[] = [];
  const visit = (node: unknown, name: string): void => {
    if (Array.isArray(node)) for (const each of node) visit(each, name);
    if (typeof node !== 'object' || node === null || !('type' in node)) return;
    const syntax = node as Syntax;
    const own = syntax.id?.name ?? syntax.key?.name ?? name;
    const body = syntax.body as Syntax | undefined;
    if (body && /Function/.test(syntax.type)) {
      const call = `globalThis.walked?.(${JSON.stringify(room)}, ${JSON.stringify(own)})`;
      if (body.type === 'BlockStatement') insertions.push({ at: body.start + 1, text: `${call};` });
      else insertions.push({ at: body.start, text: `(${call}, ` }, { at: body.end, text: ')' });
    }
    for (const child of Object.values(node)) visit(child, own);
  };
  visit(await parseAstAsync(code), '(top)');
  // From the end on, so that what is inserted moves nothing that is still to be found.
  return insertions
    .map((insertion, order) => ({ ...insertion, order }))
    .sort((one, other) => other.at - one.at || one.order - other.order)
    .reduce((text, { at, text: inserted }) => text.slice(0, at) + inserted + text.slice(at), code);
}

const root = join(import.meta.dirname, '../..');

const instrument: Plugin = {
  name: 'instrument',
  setup: ({ onLoad }) => {
    onLoad({ filter: /\.tsx?$/ }, async ({ path }) => {
      const room = relative(root, path);
      if (!/^(src|shell)\//.test(room)) return undefined;
      return { contents: await instrumented(room, readFileSync(path, 'utf8')), loader: 'js' };
    });
  },
};

/** The files of a walk, one for each stay in it. */
function roomsOf(steps: readonly WalkStep[]): string[] {
  const counted = steps.map(({ room }) => room).filter((room) => !isPassedOver(room));
  return counted.filter((room, at) => room !== counted[at - 1]);
}

function print(name: string, steps: readonly WalkStep[]): void {
  const stays = roomsOf(steps);
  const rooms = new Set(stays);
  const returns = stays.length - rooms.size;
  const most = [...rooms]
    .map((room) => [room, stays.filter((stay) => stay === room).length] as const)
    .sort(([, one], [, other]) => other - one);
  console.log(`\n${name}: ${steps.length} calls, ${rooms.size} rooms, ${stays.length} moves, ${returns} returns`);
  console.log(
    `entered most often: ${most
      .slice(0, 5)
      .map(([room, times]) => `${room} ${times}`)
      .join(', ')}`,
  );
  if (options.calls) for (const step of steps) console.log(`  ${step.room} ${step.name}`);
  else for (const stay of stays) console.log(`  ${stay}`);
}

// Inside the repository, where what is not bundled is found.
const directory = mkdtempSync(join(root, 'node_modules/.walk-'));
try {
  const outfile = join(directory, 'walks.mjs');
  await build({
    entryPoints: [join(import.meta.dirname, 'walks.ts')],
    outfile,
    bundle: true,
    format: 'esm',
    platform: 'node',
    packages: 'external',
    plugins: [instrument],
    logLevel: 'warning',
  });
  const { walks } = (await import(outfile)) as typeof import('./walks.ts');
  const asked = positionals.length > 0 ? positionals : Object.keys(walks);
  for (const name of asked) {
    const walk = Object.hasOwn(walks, name) ? walks[name as keyof typeof walks] : undefined;
    if (!walk) throw new Error(`no walk is named ${name}: ${Object.keys(walks).join(', ')}`);
    print(name, await walk());
  }
} finally {
  rmSync(directory, { recursive: true, force: true });
}
process.exit();
