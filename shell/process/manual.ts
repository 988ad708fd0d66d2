/** `npm run man`: tcli.1 on standard output, made of the records that the shell itself runs on (man(7)). */

import { join } from 'node:path';
import { controlSocketOf } from '../../src/client.ts';
import { homeOf, openHost, ownFolder } from '../../src/index.ts';
import { rootNode } from '../nodes/root.ts';
import { programVersion } from '../nodes/root-commands.ts';
import { allCommands } from '../session/common-commands.ts';
import { syntaxOf } from '../session/help.ts';
import type { Node, ShellCommand } from '../session/node.ts';
import { Preferences, preferenceTable } from '../session/preferences.ts';
import { ShellSession } from '../session/session.ts';
import { wrapText } from '../session/wrap.ts';
import {
  type ProgramWordName,
  programEnvironment,
  programForms,
  programOptions,
  programStatuses,
  programWord,
  programWordNames,
} from './program.ts';
import { formOf, toldOptions } from './program-help.ts';

/** Text as roff shows it: no line of it is a request, - is a minus, and lines are short. */
const roff = (text: string): string => roffLine(wrapText(text, columnsMax));

/** Text that has to stay in its line. */
const roffLine = (text: string): string =>
  text
    .replace(/\\/g, '\\e')
    .replace(/-/g, '\\-')
    .replace(/^([.'])/gm, '\\&$1');

/** The widest line of the page's source, before signs of it are escaped. */
const columnsMax = 70;

/** Lines that make one node of each kind. */
const everything = [
  '/backstores/ramdisk create disk0 1M',
  '/iscsi create iqn.2003-01.org.example:disk0',
  '/iscsi/iqn.2003-01.org.example:disk0/tpg1/luns create /backstores/ramdisk/disk0',
  '/iscsi/iqn.2003-01.org.example:disk0/tpg1/acls create iqn.1994-05.com.redhat:client1',
];

const description =
  'tcli is an iSCSI target in one program without the kernel, and the shell that administers it, with the words of targetcli: a tree of nodes with commands, which is walked as a file system is. A process in the background serves; shells and single commands are its clients.';

/** The page of the manual, as roff. @param day when it is made */
export async function manual(day: Date): Promise<string> {
  const folder = ownFolder('manual');
  const host = await openHost({ home: homeOf(join(folder.path, 'home'), {}, undefined), role: 'command' });
  try {
    const session = new ShellSession(host, Preferences.open(undefined), { bareErrors: true });
    const quiet = { write: () => {}, ask: async () => null };
    for (const line of everything) await session.run(line, quiet, new AbortController().signal);
    const root = rootNode(host);
    return [
      `.TH TCLI 1 "${day.toISOString().slice(0, 10)}" "tcli ${roffLine(programVersion)}"\n.ad l`,
      '.SH NAME\ntcli \\- targetcli without the kernel: an iSCSI target and its shell',
      '.SH SYNOPSIS',
      ...lines([...programForms.map(({ form }) => `tcli [OPTIONS] ${form}`.trimEnd()), 'tcli [OPTIONS] WORD …']),
      `.SH DESCRIPTION\n${roff(description)}`,
      '.SH OPTIONS',
      ...options(programOptions),
      `.SH WORDS OF THE PROGRAM\n${roff('The rest of the commands are those of the shell, which COMMANDS OF EVERY NODE and NODES list.')}`,
      ...programWordNames.flatMap(ofWord),
      '.SH COMMANDS OF EVERY NODE',
      ...commandsOf(Object.entries(allCommands(root)).filter(([name]) => !Object.hasOwn(root.commands, name))),
      '.SH NODES',
      ...nodes(root, new Set()),
      '.SH PREFERENCES\nSet with: set global NAME=VALUE',
      ...Object.entries(preferenceTable).map(([name, { doc, type, default: initial }]) =>
        tagged(name, `${doc} Default: ${(type.print as (value: unknown) => string)(initial) || 'empty'}.`),
      ),
      '.SH ENVIRONMENT',
      ...Object.entries(programEnvironment).map(([name, means]) => tagged(name, means)),
      '.SH FILES',
      ...filesOf(),
      '.SH EXIT STATUS',
      ...programStatuses.map(({ status, means }) => tagged(String(status), means)),
      '.SH EXAMPLES',
      ...programWordNames.flatMap((name) => programWord(name).examples.map(({ line, does }) => tagged(line, does))),
      '.SH SEE ALSO',
      roff(
        'The pages in /usr/share/doc/tcli: everyday.md, initiators.md, troubleshooting.md, security.md, json.md, and the rest, which README.md lists.',
      ),
      '',
    ].join('\n');
  } finally {
    await host.close();
    folder.remove();
  }
}

const tagged = (tag: string, text: string): string => `.TP\n.B ${roffLine(tag)}\n${roff(text)}`;

/** Lines that stay as they are. */
const lines = (texts: readonly string[]): string[] => ['.nf', ...texts.map(roffLine), '.fi'];

const options = (of: Parameters<typeof toldOptions>[0]): string[] =>
  toldOptions(of).map(({ form, doc }) => tagged(form, doc));

const ofWord = (name: ProgramWordName): string[] => {
  const { doc, details, options: own } = programWord(name);
  return [`.SS ${roffLine(formOf(name))}\n${roff([doc, details].filter(Boolean).join(' '))}`, ...options(own)];
};

/** The places of root's files, and those of others. */
function filesOf(): string[] {
  const home = homeOf(undefined, {}, 0);
  return [
    tagged(home.saveFile, 'The saved configuration, as LIO writes it.'),
    tagged(home.backupDirectory, 'Earlier ones, compressed.'),
    tagged(
      home.stateDirectory,
      'All else that is kept: changes that are not in the saved configuration yet, who made which change, preferences, history of lines, the log of a process in the background.',
    ),
    tagged(controlSocketOf(home), 'The control socket, for its owner, root, and the group of serve --group.'),
    `.PP\n${roff('Other users have theirs in ~/.config/tcli, ~/.local/state/tcli and XDG_RUNTIME_DIR; with --home DIR or TCLI_HOME all of it is under DIR.')}`,
  ];
}

/** Each kind of node once, at the first place where it stands. */
function nodes(node: Node, seen: Set<string>): string[] {
  const known = seen.has(node.doc) && node.parent?.path !== '/backstores';
  seen.add(node.doc);
  const own = Object.entries(node.commands);
  return [
    ...(known ? [] : [`.SS ${roffLine(node.path)}\n${roff(node.doc)}`, ...commandsOf(own)]),
    ...node.children().flatMap((child) => nodes(child, seen)),
  ];
}

const commandsOf = (commands: readonly (readonly [string, ShellCommand<unknown>])[]): string[] =>
  [...commands].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, command]) => describe(name, command));

function describe(name: string, command: ShellCommand<unknown>): string {
  const documented = [...command.parameters, ...(command.more ? [command.more] : [])];
  return [
    `.TP\n.B ${roffLine(syntaxOf(name, command).trimEnd())}`,
    [command.doc, ...(command.details ?? [])].map(roff).join('\n.sp\n'),
    ...documented.map((one) => `.br\n.I ${roffLine(one.name)}\n${roff(one.doc)}`),
    ...command.examples.map(({ line, does }) => `.br\nExample:\n.B ${roffLine(line)}\n\\- ${roff(does)}`),
  ].join('\n');
}

if (import.meta.main) {
  // A package that is built again from the same sources is the same (reproducible-builds.org).
  const seconds = process.env['SOURCE_DATE_EPOCH'];
  process.stdout.write(await manual(seconds === undefined ? new Date() : new Date(Number(seconds) * 1000)));
}
