/** The commands of every node: ls, cd, pwd, status, get, set, help, bookmarks, refresh, exit. */

import { join } from 'node:path';
import { OperatorError, types, type ValueType } from '../../src/index.ts';
import { nodeStats } from '../nodes/statistics.ts';
import { getCommand, setCommand, underlined } from './configuration-groups.ts';
import { briefly, helpAt, helpData, helpDataOn, helpOn } from './help.ts';
import { readHistory } from './history.ts';
import { didYouMean } from './nearest-word.ts';
import {
  type Commands,
  type Context,
  commandOf,
  type Node,
  optional,
  placesOf,
  required,
  type ShellCommand,
} from './node.ts';
import { rootOf } from './path.ts';
import { columnsMax, drawTree, treeOf, walkTree } from './tree-drawing.ts';

/** The number of lines that `history` shows. */
const historyShown = 20;

const depthType: ValueType<number> = {
  name: 'number',
  wrong: '',
  refusal: () => 'The tree depth must be a number.',
  parse: (text) => (/^[+-]?\d{1,9}$/.test(text) ? Number(text) : undefined),
  print: String,
  words: ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'],
};

/** The reason why a tree does not say how initiators fare; undefined where it does, or where no initiator could come. */
function whyOffline({ host }: Node): string | undefined {
  const { tree } = host.root;
  const isEmpty = tree.allStorageObjects().next().done === true && tree.targets().next().done === true;
  if (!host.isOffline || isEmpty) return undefined;
  return host.heldBy
    ? `Process ${host.heldBy.pid} has this configuration, and cannot be asked from here: what it serves is not shown.`
    : 'Nothing of this is served. To serve it: tcli daemon start';
}

const ls = commandOf()({
  doc: 'Shows the tree below a node, with the state of each node.',
  parameters: [
    optional(
      'path',
      types.string,
      'The node to start from; this one when absent. A path from here, from the root, or @BOOKMARK.',
      {
        kind: 'path',
      },
    ),
    optional(
      'depth',
      depthType,
      'How many levels to show; 0, or nothing, is as many as the preference tree_max_depth says, and -1 is the node alone.',
    ),
  ],
  seeAlso: ['cd', 'bookmarks'],
  examples: [
    { line: 'ls', does: 'Shows this node and all below it.' },
    { line: 'ls / 1', does: 'Shows the root and its children.' },
    { line: 'ls /backstores depth=2', does: 'Shows the storage objects, without what is below them.' },
  ],
  run(_subject, { node, preferences, terminal, resolve, print, draw }, { path, depth }) {
    const start = path === undefined ? node : resolve(path, node);
    const lines = drawTree(start, {
      columns: Math.min(terminal.columns || columnsMax, columnsMax),
      color: terminal.color && preferences.get('color_mode'),
      depth: depth || preferences.get('tree_max_depth') || 0,
      roundNodes: preferences.get('tree_round_nodes'),
      showRoot: preferences.get('tree_show_root'),
      status: preferences.get('tree_status_mode'),
    });
    const [more] = terminal.interactive ? (start.summary().more ?? []) : [];
    if (lines.length > 0) draw(lines);
    if (more !== undefined) print(more);
    const offline = whyOffline(node);
    if (offline !== undefined) print(offline);
  },
  json(_subject, { node, preferences, resolve }, { path, depth }) {
    return treeOf(path === undefined ? node : resolve(path, node), depth || preferences.get('tree_max_depth') || 0);
  },
});

const cd = commandOf()({
  doc: 'Makes another node the current one. Without a path it lets you choose from the tree.',
  details: [
    'Paths are written as those of files are: a slash between names, one dot for where you are, two for the node above.',
    `In this tree, say, you are at the LUNs of tpg1:
    o- iscsi
      o- iqn.2003-01.org.example:disk0
        o- tpg1
        | o- acls
        | o- luns       <- here
        |   o- lun0
        o- tpg2
          o- luns`,
    `From there,
    - \`cd lun0\` goes to lun0, which is below
    - \`cd ..\` goes to tpg1, which is above
    - \`cd ../acls\` goes to the ACLs of tpg1
    - \`cd ../../tpg2/luns\` goes to the LUNs of tpg2
    - \`cd /iscsi\` goes to iscsi, wherever you are
    - \`cd /\` goes to the root
    - \`cd @last\` goes to what was created last`,
    `The shell knows where you have been, also the next time it is started:
    - \`cd <\` goes back one step
    - \`cd >\` goes forward again`,
  ],
  seeAlso: ['ls', 'bookmarks'],
  parameters: [
    optional('path', types.string, 'Where to go: a path, .., @BOOKMARK, < (back) or > (forward).', {
      kind: 'path',
      suggest: () => [
        ['<', 'back'],
        ['>', 'forward'],
      ],
    }),
  ],
  examples: [
    { line: 'cd /backstores', does: 'Goes to /backstores.' },
    { line: 'cd ..', does: 'Goes one level up.' },
    { line: 'cd <', does: 'Goes back to where the shell stood before.', after: ['cd /backstores', 'cd /'] },
  ],
  async run(_subject, context, { path }) {
    if (path === '<') return stepInHistory(context, -1);
    if (path === '>') return stepInHistory(context, 1);
    const wanted = path ?? (await choose(context));
    if (wanted !== null) await context.goTo(context.resolve(wanted, context.node).path);
  },
});

async function stepInHistory({ preferences, info, goTo }: Context, by: 1 | -1): Promise<void> {
  const path = await preferences.step(by);
  if (path === undefined)
    return info(by < 0 ? 'Reached begining of path history.' : 'Reached the end of path history.');
  info(`Taking you back to ${path}.`);
  await goTo(path, false);
}

async function choose({ node, terminal, ask, current }: Context): Promise<string | null> {
  if (!terminal.interactive)
    throw new OperatorError('cd needs a path here.', 'Choosing from the tree needs a terminal.');
  const choices = Array.from(walkTree(rootOf(node), 0), ({ node: { name, path }, prefix }) => ({
    value: path,
    label: `${prefix}o- ${name}`,
  }));
  return ask({ kind: 'select', message: 'Go to', choices, initial: current.path });
}

const pwd = commandOf()({
  doc: 'Shows the path of the node.',
  seeAlso: ['ls', 'cd'],
  parameters: [],
  examples: [{ line: 'pwd', does: 'Shows where you are.' }],
  run: (_subject, { node, print }) => print(node.path),
  json: (_subject, { node }) => node.path,
});

const status = commandOf()({
  doc: 'Shows the state of the node in a line: what ls shows in brackets.',
  seeAlso: ['ls'],
  parameters: [],
  examples: [{ line: 'status', does: 'Shows the state of this node.' }],
  run(_subject, { node, info }) {
    const { text, more = [] } = node.summary();
    const offline = whyOffline(node);
    info([`Status for ${node.path}: ${text}`, ...more, ...(offline === undefined ? [] : [offline])].join('\n'));
  },
  json: (_subject, { node }) => node.summary(),
});

const refresh = commandOf()({
  doc: 'Does nothing: the tree is always as it is now. Scripts for targetcli use it.',
  parameters: [],
  examples: [{ line: 'refresh', does: 'Nothing.' }],
  run: () => {},
});

const exit = commandOf()({
  doc: 'Leaves the shell. The configuration is saved before if auto_save_on_exit is true.',
  parameters: [],
  examples: [{ line: 'exit', does: 'Leaves.' }],
  run: (_subject, { leave }) => leave(),
});

const help = commandOf()({
  doc: 'Shows the commands of a node, or explains one of them.',
  parameters: [
    optional('topic', types.string, 'The command to explain.', {
      suggest: (node) => Object.entries(allCommands(node)).map(([name, { doc }]) => [name, briefly(doc)] as const),
    }),
  ],
  examples: [
    { line: 'help', does: 'Lists the commands of this node.' },
    { line: 'help ls', does: 'Explains ls.' },
  ],
  run(_subject, { node, print }, { topic }) {
    print(topic === undefined ? helpAt(allCommands(node)) : helpOn(topic, topicNamed(topic, node)));
  },
  json: (_subject, { node }, { topic }) =>
    topic === undefined ? helpData(allCommands(node)) : helpDataOn(topic, topicNamed(topic, node)),
});

function topicNamed(topic: string, node: Node): ShellCommand<unknown> {
  const commands = allCommands(node);
  const command = ownOf(commands, topic) ?? ownOf(otherWords, topic);
  if (command) return command;
  throw new OperatorError(
    `Cannot find help topic ${topic}.`,
    elsewhere(node, topic) ??
      didYouMean(topic, Object.keys(commands)) ??
      `Topics here: ${Object.keys(commands).sort().join(', ')}`,
  );
}

const bookmarkActions = {
  add: 'gives a name to this path.',
  del: 'takes a name away.',
  go: 'goes to the path of a name.',
  show: 'lists all names.',
};

const bookmarks = commandOf()({
  doc: 'Gives names to paths. @last is what was created last.',
  details: [
    `A name stands for its path with an @ before it, as in these two lines, which do the same:
    - \`cd @here\`
    - \`bookmarks go here\``,
    `It does so wherever a path can stand:
    - \`@here status\` runs a command at the node that has the name.
    - \`ls @here\` takes it as a value.
    - \`cd @here\` goes there, from anywhere in the tree.`,
    'A bookmark goes along when what it names, or what that stands in, is renamed or moved.',
  ],
  seeAlso: ['ls', 'cd'],
  parameters: [
    required(
      'action',
      types.string,
      `What to do:\n${Object.entries(bookmarkActions)
        .map(([name, does]) => `    - \`${name}\` ${does}`)
        .join('\n')}`,
      { suggest: () => Object.entries(bookmarkActions) },
    ),
    optional('bookmark', types.string, 'The name, without its @.', {
      suggest: (_node, { preferences, given }) =>
        given['action'] === 'del' || given['action'] === 'go' ? preferences.bookmarks : [],
    }),
  ],
  examples: [
    { line: 'bookmarks add here', does: 'Names this path here.' },
    { line: 'bookmarks show', does: 'Lists all names.' },
    { line: 'bookmarks go here', does: 'The same as cd @here.', after: ['bookmarks add here'] },
    { line: 'bookmarks del here', does: 'Forgets the name.', after: ['bookmarks add here'] },
  ],
  async run(_subject, { node, preferences, print, info, goTo, resolve }, { action, bookmark: name }) {
    const known = preferences.bookmarks;
    if (action === 'show' && name === undefined) return print(listBookmarks(known));
    if (!Object.hasOwn(bookmarkActions, action) || action === 'show' || name === undefined)
      throw new OperatorError("Syntax error, see 'help bookmarks'.");
    if (action === 'add') {
      if (known.has(name)) throw new OperatorError(`Bookmark ${name} already exists.`);
      if (!/^[\w:.-]+$/.test(name))
        throw new OperatorError(`'${name}' cannot be a bookmark.`, 'Letters, digits and : _ . - can be.');
      await preferences.bookmark(name, node.path);
      return info(`Bookmarked ${node.path} as ${name}.`);
    }
    const path = known.get(name);
    if (path === undefined) throw new OperatorError(`No such bookmark ${name}.`);
    if (action === 'go') return goTo(resolve(path).path);
    await preferences.forget(name);
    info(`Deleted bookmark ${name}.`);
  },
  json(_subject, { preferences }, { action }) {
    if (action !== 'show') throw new OperatorError('Only bookmarks show has a JSON form.');
    return Object.fromEntries(preferences.bookmarks);
  },
});

function listBookmarks(known: ReadonlyMap<string, string>): string {
  const listed = [...known].map(([name, path]) => `${underlined(name, '-')}\n${path}`);
  return `\n${underlined('BOOKMARKS', '=')}\n\n${listed.length > 0 ? listed.join('\n\n') : 'No bookmarks yet.'}`;
}

const commonCommands: Commands<unknown> = {
  bookmarks,
  cd,
  exit,
  get: getCommand,
  help,
  ls,
  pwd,
  refresh,
  set: setCommand,
  stats: nodeStats,
  status,
};

const clear = commandOf()({
  doc: 'Clears the screen; Ctrl-L does it, too, and keeps the line. The configuration is cleared by: / clearconfig',
  parameters: [],
  examples: [{ line: 'clear', does: 'Clears the screen.' }],
  // The front end clears the screen.
  run: () => {},
});

const history = commandOf()({
  doc: 'Shows the lines that were typed last, without those that have secrets.',
  details: ['Ctrl-R searches them. What was changed, by whom and when, is shown by: / changes'],
  parameters: [optional('count', types.number, 'How many lines.', { default: historyShown })],
  examples: [{ line: 'history 5', does: 'Shows the last five lines.' }],
  async run(_subject, { host, print }, { count = historyShown }) {
    const lines = await readHistory(join(host.home.stateDirectory, 'history.txt'));
    print(lines.slice(-Math.max(1, count ?? historyShown)).join('\n') || '(no lines yet)');
  },
  json: async (_subject, { host }, { count = historyShown }) =>
    (await readHistory(join(host.home.stateDirectory, 'history.txt'))).slice(-Math.max(1, count ?? historyShown)),
});

/** Words of other shells. They are understood, and no list of commands has them: such lists have targetcli's. */
const otherWords: Commands<unknown> = { clear, history, logout: exit, quit: exit };

/** The commands of a node: those of every node and its own. */
export const allCommands = (node: Node): Commands<unknown> => ({ ...commonCommands, ...node.commands });

/** The command called `name`. @throws OperatorError */
export function commandNamed(node: Node, name: string): ShellCommand<unknown> {
  const commands = allCommands(node);
  const command = ownOf(commands, name) ?? ownOf(otherWords, name);
  if (command) return command;
  throw new OperatorError(`Command not found ${name}`, elsewhere(node, name) ?? similar(node, name));
}

const ownOf = (commands: Commands<unknown>, name: string): ShellCommand<unknown> | undefined =>
  Object.hasOwn(commands, name) ? commands[name] : undefined;

/** The node at which the word would be a command. */
function elsewhere(node: Node, name: string): string | undefined {
  const root = rootOf(node);
  if (node.child(name)) return `${name} is a node: ${name}/ ls, or cd ${name}`;
  if (Object.hasOwn(root.commands, name)) return `${name} is a command of the root: / ${name}`;
  const near = nearCommand(node, name);
  if (near) return `${name} is a command of ${near.join(' and ')}`;
  return root.child(name) && `${name} is a node below the root: /${name} ls, or cd /${name}`;
}

/**
 * The node right above, where its command may mean this one; the nodes right below, or those below them, that have such a command; or the
 * one above at all.
 */
function nearCommand(node: Node, name: string): string[] | undefined {
  const above = commandAbove(node, name);
  if (above?.isMeant) return [above.says];
  const children = node.children().map((one) => ({ one, at: one.name }));
  const further = children.flatMap(({ one: child, at }) =>
    child.children().map((one) => ({ one, at: `${at}/${one.name}` })),
  );
  for (const level of [children, further]) {
    const below = level.filter(({ one }) => Object.hasOwn(one.commands, name));
    if (below.length > 0) return below.slice(0, nearMax).map(({ at }) => `${at}: ${at}/ ${name}`);
  }
  return above && [above.says];
}

/** The command of the node right above, as it is typed there, and whether one of its parameters is the name of this node. */
function commandAbove({ parent, name: own }: Node, name: string): { says: string; isMeant: boolean } | undefined {
  const command = parent && ownOf(parent.commands, name);
  if (!command) return undefined;
  const needed = placesOf(command.parameters).filter((one) => one.required);
  const words = needed.map((one) => one.ofChild?.(own) ?? one.name.toUpperCase());
  const line = [`${parent.path}/`, name, ...words].join(' ');
  return { says: `${parent.path}: ${line}`, isMeant: needed.some(({ ofChild }) => ofChild) };
}

/** Nodes that are named of those that have a command. */
const nearMax = 3;

function similar(node: Node, name: string): string {
  const here = Object.keys(allCommands(node));
  const ofRoot = Object.keys(rootOf(node).commands);
  const below = node.children().flatMap((one) => Object.keys(one.commands).map((word) => [word, one.name] as const));
  const pathTo = new Map([...below].reverse());
  const meant =
    didYouMean(name, here) ??
    didYouMean(name, pathTo.keys(), (known) => `${pathTo.get(known)}/ ${known}`) ??
    didYouMean(name, ofRoot, (known) => `/ ${known}`);
  return [meant, `Commands here: ${here.sort().join(' ')}`].filter(Boolean).join('\n');
}
