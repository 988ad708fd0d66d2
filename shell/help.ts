/** Help, computed from the records of commands: in targetcli's layout (targetcli.md 3.6), in words of our own. */

import { underlined } from './configuration-groups.ts';
import type { Command, CommandParameter, Commands, Node } from './node.ts';

/** The widest paragraph. */
const columnsMax = 72;

const introduction = `
${underlined('GENERALITIES', '=')}
Everything that can be configured is a node of one tree: storage objects
below /backstores, targets below their fabric (/iscsi ...). Each kind of
node has commands of its own, and all of them have ls, cd, get and set.

The prompt shows where you are. \`ls\` shows what is below, \`cd PATH\`
goes somewhere else, and \`cd\` alone lets you choose from the tree. Tab
completes what you have begun to type.

${underlined('COMMAND SYNTAX', '=')}
A line is

[PATH] COMMAND [VALUE...] [NAME=VALUE...]

PATH says where the command runs; without it, it runs where you are.
Values are given in order, or by name. Blanks end a value; "quotes" keep
them in it. \`help COMMAND\` explains a command.

${underlined('AVAILABLE COMMANDS', '=')}
The following commands are available in the
current path:
`;

/** `create name size [nullio] [wwn] `: with targetcli's blank at the end. */
export function syntaxOf(name: string, { parameters, more }: Command<unknown>): string {
  const words = parameters.map((parameter) => (parameter.required ? parameter.name : `[${parameter.name}]`));
  return `${[name, ...words, ...(more ? [`[${more.name}...]`] : [])].join(' ')} `;
}

/** What `help` shows at a node. */
export function helpAt(commands: Commands<unknown>): string {
  const names = Object.keys(commands).sort();
  return [introduction, ...names.map((name) => `  - ${syntaxOf(name, commands[name]!)}`)].join('\n');
}

/** What `help COMMAND` shows. */
export function helpOn(name: string, command: Command<unknown>, node: Node): string {
  const { parameters, more } = command;
  const defaults = parameters.filter((parameter) => !parameter.required && parameter.default !== undefined);
  const documented = [...parameters, ...(more ? [more] : [])];
  return [
    `\n${underlined('SYNTAX', '=')}\n${syntaxOf(name, command)}\n\n`,
    defaults.length > 0 &&
      `${underlined('DEFAULT VALUES', '=')}\n${defaults.map((one) => `${one.name}=${printDefault(one)} `).join('')}\n\n`,
    `${underlined('DESCRIPTION', '=')}\n\n${wrap(command.doc)}\n`,
    documented.length > 0 && `${underlined('PARAMETERS', '=')}\n`,
    ...documented.map((one) => `${underlined(one.name, '-')}\n${wrap(docOf(one))}\n`),
    `${underlined(command.examples.length > 1 ? 'EXAMPLES' : 'EXAMPLE', '=')}\n`,
    command.examples.map(({ line, does }) => `${node.path}> ${line}\n${wrap(does)}`).join('\n\n'),
  ]
    .filter((part) => part !== false)
    .join('\n');
}

const docOf = (documented: { doc: string } | CommandParameter): string => {
  const words = 'type' in documented ? documented.type.words : undefined;
  return words ? `${documented.doc} One of: ${words.join(', ')}.` : documented.doc;
};

function printDefault({ type, default: value }: CommandParameter): string {
  return type.print(value);
}

/** The first line, or the first sentence: what completion has room for. */
export const briefly = (doc: string): string => doc.split(/\n|(?<=\.) /, 1)[0] ?? '';

/** Paragraphs are wrapped; lines that are indented stay as they are. */
function wrap(text: string): string {
  return text.split('\n').map(wrapLine).join('\n');
}

function wrapLine(line: string): string {
  if (line.startsWith(' ')) return line;
  const lines: string[] = [];
  for (const word of line.split(' ')) {
    const last = lines.at(-1);
    if (last === undefined || last.length + 1 + word.length > columnsMax) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines.join('\n');
}
