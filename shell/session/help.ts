/** Help, computed from the records of commands: in targetcli's layout, in words of our own. */

import { underlined } from './configuration-groups.ts';
import { type CommandParameter, type Commands, placesOf, type ShellCommand } from './node.ts';
import { wrapText } from './wrap.ts';

const introduction = `
${underlined('GENERALITIES', '=')}
Everything that can be configured is a node of one tree, and what
you type here makes, changes and deletes such nodes.

Each kind of node has commands of its own besides those that all
of them have: a TPG can be enabled, a portal cannot. \`help\` shows
what can be done where you are, and \`help COMMAND\` explains one
of them. Put a path in front to ask about another node, as in
\`/iscsi help\` or \`/iscsi help create\`.

The prompt shows where you are, with the middle left out when the
path is long; \`pwd\` shows all of it. Tab completes what you have
begun to type, or shows what can follow, with a line of help for
each. A lone ? shows the same.

\`ls\` draws what is below a node and \`cd PATH\` goes there. \`cd\`
alone shows the whole tree to choose from: the arrows move, typing
filters, Enter goes. Places can have names (\`help bookmarks\`); the
one that was created last is called @last, and the one where you
were before is found by \`cd <\`.

${underlined('COMMAND SYNTAX', '=')}
What you type is read in this order:

[TARGET_PATH] COMMAND_NAME [OPTIONS]

TARGET_PATH is the node that the command is for. Without it, that
is the node where you are.

OPTIONS are values in their order, or NAME=VALUE in any order. Put
"quotes" around a value that has blanks.


${underlined('AVAILABLE COMMANDS', '=')}
This is what can be done at the node
that you asked about:
`;

/** `create name size [nullio] [wwn] `: with targetcli's blank at the end. */
export function syntaxOf(name: string, { parameters, more }: ShellCommand<unknown>): string {
  const words = placesOf(parameters).map((parameter) => (parameter.required ? parameter.name : `[${parameter.name}]`));
  return `${[name, ...words, ...(more ? [`[${more.name}...]`] : [])].join(' ')} `;
}

const inOrder = (commands: Commands<unknown>) =>
  Object.entries(commands).sort(([one], [other]) => (one < other ? -1 : 1));

/** The lines of `help` at a node. */
export function helpAt(commands: Commands<unknown>): string {
  const lines = inOrder(commands).map(([name, command]) => `  - ${syntaxOf(name, command)}`);
  return [introduction, ...lines].join('\n');
}

/** The lines of `help COMMAND`. */
export function helpOn(name: string, command: ShellCommand<unknown>): string {
  const { doc, details = [], parameters, more, examples, seeAlso = [] } = command;
  const defaults = placesOf(parameters).filter((parameter) => !parameter.required && parameter.default !== undefined);
  const documented = [...parameters, ...(more ? [more] : [])];
  const written = parameters.find(({ type }) => type.syntax)?.type;
  const section = (title: string, ...lines: readonly string[]) => `${underlined(title, '=')}\n${lines.join('\n')}\n`;
  return [
    `\n${section('SYNTAX', syntaxOf(name, command))}\n`,
    defaults.length > 0 &&
      `${section('DEFAULT VALUES', defaults.map((one) => `${one.name}=${printDefault(one)} `).join(''))}\n`,
    section('DESCRIPTION', '', [doc, ...details].map((one) => wrapText(one)).join('\n\n')),
    documented.length > 0 && `${underlined('PARAMETERS', '=')}\n`,
    ...documented.map((one) => `${underlined(one.name, '-')}\n${wrapText(docOf(one))}\n`),
    written?.syntax && section(`${written.name.toUpperCase()} SYNTAX`, ...written.syntax),
    section(
      examples.length > 1 ? 'EXAMPLES' : 'EXAMPLE',
      examples.map(({ line, does }) => `${underlined(line, '-')}\n${wrapText(does)}`).join('\n\n'),
    ),
    seeAlso.length > 0 && section('SEE ALSO', seeAlso.join(' ')),
  ]
    .filter((part) => typeof part === 'string')
    .join('\n')
    .trimEnd();
}

/** The data of `help`, by command. */
export const helpData = (commands: Commands<unknown>): unknown =>
  Object.fromEntries(
    inOrder(commands).map(([name, command]) => [
      name,
      { syntax: syntaxOf(name, command).trimEnd(), description: command.doc },
    ]),
  );

/** The data of `help COMMAND`. */
export const helpDataOn = (name: string, command: ShellCommand<unknown>): unknown => ({
  syntax: syntaxOf(name, command).trimEnd(),
  description: [command.doc, ...(command.details ?? [])].join('\n\n'),
  parameters: command.parameters.map(({ name: parameter, type, required, doc, default: value }) => ({
    name: parameter,
    type: type.name,
    required,
    ...(value !== undefined && { default: value }),
    description: doc,
  })),
  examples: command.examples.map(({ line, does }) => ({ line, does })),
});

const docOf = (documented: { doc: string } | CommandParameter): string => {
  const words = 'type' in documented ? documented.type.words : undefined;
  return words ? `${documented.doc} One of: ${words.join(', ')}.` : documented.doc;
};

/** A default as Python writes it, which is how targetcli shows it. */
const printDefault = ({ type, default: value }: CommandParameter): string =>
  value === true ? 'True' : value === false ? 'False' : type.print(value);

/** The first line, or the first sentence, which is all that completion has room for. */
export const briefly = (doc: string): string => doc.split(/\n|(?<=\.) /, 1)[0] ?? '';
