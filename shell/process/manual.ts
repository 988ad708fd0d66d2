/** `npm run man`: tcli.1 on standard output, made of the records that the shell itself runs on (man(7)). */

import { join } from 'node:path';
import { homeOf, openHost, ownFolder } from '../../src/index.ts';
import { rootNode } from '../nodes/root.ts';
import { programVersion } from '../nodes/root-commands.ts';
import { allCommands } from '../session/common-commands.ts';
import { syntaxOf } from '../session/help.ts';
import type { Node, ShellCommand } from '../session/node.ts';
import { Preferences, preferenceTable } from '../session/preferences.ts';
import { ShellSession } from '../session/session.ts';
import { usage } from './arguments.ts';

/** Text as roff shows it: no line of it is a request, and - is a minus. */
const roff = (text: string): string =>
  text
    .replace(/\\/g, '\\e')
    .replace(/-/g, '\\-')
    .replace(/^([.'])/gm, '\\&$1');

/** Lines that make one node of each kind. */
const everything = [
  '/backstores/ramdisk create disk0 1M',
  '/iscsi create iqn.2003-01.org.example:disk0',
  '/iscsi/iqn.2003-01.org.example:disk0/tpg1/luns create /backstores/ramdisk/disk0',
  '/iscsi/iqn.2003-01.org.example:disk0/tpg1/acls create iqn.1994-05.com.redhat:client1',
];

export async function manual(): Promise<string> {
  const folder = ownFolder('manual');
  const host = await openHost({ home: homeOf(join(folder.path, 'home'), {}, undefined), role: 'command' });
  try {
    const session = new ShellSession(host, Preferences.open(undefined), { bareErrors: true });
    const quiet = { write: () => {}, ask: async () => null };
    for (const line of everything) await session.run(line, quiet, new AbortController().signal);
    const root = rootNode(host);
    return [
      `.TH TCLI 1 "" "tcli ${roff(programVersion)}"\n.ad l`,
      '.SH NAME\ntcli \\- targetcli without the kernel: an iSCSI target and its shell',
      `.SH SYNOPSIS\n.nf\n${roff(usage.trimEnd())}\n.fi`,
      '.SH COMMANDS OF EVERY NODE',
      ...commandsOf(Object.entries(allCommands(root)).filter(([name]) => !Object.hasOwn(root.commands, name))),
      '.SH NODES',
      ...nodes(root, new Set()),
      '.SH PREFERENCES\nSet with: set global NAME=VALUE',
      ...Object.entries(preferenceTable).map(
        ([name, { doc, type, default: initial }]) =>
          `.TP\n.B ${roff(name)}\n${roff(doc)} Default: ${roff((type.print as (value: unknown) => string)(initial) || 'empty')}.`,
      ),
      '',
    ].join('\n');
  } finally {
    await host.close();
    folder.remove();
  }
}

/** Each kind of node once, at the first place where it stands. */
function nodes(node: Node, seen: Set<string>): string[] {
  const known = seen.has(node.doc) && node.parent?.path !== '/backstores';
  seen.add(node.doc);
  const own = Object.entries(node.commands);
  return [
    ...(known ? [] : [`.SS ${roff(node.path)}\n${roff(node.doc)}`, ...commandsOf(own)]),
    ...node.children().flatMap((child) => nodes(child, seen)),
  ];
}

const commandsOf = (commands: readonly (readonly [string, ShellCommand<unknown>])[]): string[] =>
  [...commands].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, command]) => describe(name, command));

function describe(name: string, command: ShellCommand<unknown>): string {
  const documented = [...command.parameters, ...(command.more ? [command.more] : [])];
  return [
    `.TP\n.B ${roff(syntaxOf(name, command).trimEnd())}`,
    [command.doc, ...(command.details ?? [])].map(roff).join('\n.sp\n'),
    ...documented.map((one) => `.br\n.I ${roff(one.name)}\n${roff(one.doc)}`),
    ...command.examples.map(({ line, does }) => `.br\nExample: \\fB${roff(line)}\\fR \\- ${roff(does)}`),
  ].join('\n');
}

if (import.meta.main) process.stdout.write(await manual());
