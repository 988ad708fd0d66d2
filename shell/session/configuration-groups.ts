/** Groups of settings, and `get` and `set`, which treat all of them alike. */

import {
  type Attribute,
  type Attributes,
  type AttributeTable,
  type Auth,
  authAdvice,
  authKeys,
  authProblem,
  authTable,
  hidden,
  livingAuth,
  type Operation,
  OperatorError,
  passingAuthKeys,
  syntaxError,
  types,
  type ValueType,
} from '../../src/index.ts';
import { secretOf, secretWords } from './given-secret.ts';
import { didYouMean } from './nearest-word.ts';
import {
  type ConfigurationGroup,
  type Context,
  type MoreWords,
  type Node,
  optional,
  type Setting,
  type ShellCommand,
} from './node.ts';
import { type PreferenceName, type Preferences, preferenceTable } from './preferences.ts';

/** The value as it is shown where nobody has asked for this setting by name. */
const shownOf = ({ value, secret }: Setting): string => (secret && value !== '' ? hidden : value);

/** The shell's own preferences, at every node. */
const globalGroup = (preferences: Preferences): ConfigurationGroup => ({
  name: 'global',
  settings: () =>
    Object.entries(preferenceTable).map(([name, { type, doc }]) => ({
      name,
      doc,
      type: type as ValueType<unknown>,
      value: preferences.print(name as PreferenceName),
      readOnly: false,
    })),
  set: (name, text) => preferences.set(name as PreferenceName, text),
});

/** A group that the engine keeps: `set` goes through the engine's door. */
export function engineGroup(
  name: string,
  paths: string | readonly string[],
  settings: () => Setting[],
): ConfigurationGroup & Required<Pick<ConfigurationGroup, 'operations'>> {
  const operations = (key: string, value: string) =>
    [paths].flat().map((path): Operation => ({ path, verb: 'set', params: { group: name, name: key, value } }));
  return {
    name,
    settings: () => settings().sort((a, b) => (a.name < b.name ? -1 : 1)),
    operations,
    async set(key, value, context) {
      for (const { path, verb, params } of operations(key, value)) await context.apply(path, verb, params);
    },
  };
}

/** The values that an attribute can have, when they can be listed. */
export const wordsOf = ({ only, min, max }: Pick<Attribute, 'only' | 'min' | 'max'>): string[] =>
  only?.map(String) ?? (min === 0 && max === 1 ? ['0', '1'] : []);

const rangeIn = ({ min, max }: Pick<Attribute, 'min' | 'max'>): string => `It can be ${min} to ${max}.`;

/** The group of an object whose settings stand in a table of attributes. */
export const attributesGroup = (
  name: 'attribute' | 'parameter',
  path: string | readonly string[],
  attributes: Attributes<AttributeTable>,
): ConfigurationGroup =>
  engineGroup(name, path, () =>
    Object.entries(attributes.table).map(([key, { doc, effect, type, readOnly = false, ...rule }]) => ({
      name: key,
      words: wordsOf(rule),
      ...(type.name === 'number' && wordsOf(rule).length === 0 && { range: rangeIn(rule) }),
      doc: effect.startsWith('none: ') ? `${doc} No effect here: ${effect.slice('none: '.length)}.` : doc,
      type: type as ValueType<unknown>,
      value: attributes.print(key),
      readOnly,
    })),
  );

/** The group of attributes, unless there are none. */
export const filledGroup = (...[name, path, attributes]: Parameters<typeof attributesGroup>): ConfigurationGroup[] =>
  Object.keys(attributes.table).length > 0 ? [attributesGroup(name, path, attributes)] : [];

/** @param more settings of the group besides the CHAP words */
export const authGroup = (
  name: 'auth' | 'discovery_auth',
  path: string | readonly string[],
  auth: Auth,
  more: () => readonly Setting[] = () => [],
): ConfigurationGroup => ({
  ...engineGroup(name, path, () => [...more(), ...authSettings(auth)]),
  problem: () => authProblem(auth),
  advice: () => authAdvice(auth),
});

const authSettings = (words: Auth, auth = livingAuth(words, Date.now())): Setting[] =>
  authKeys.flatMap((name) =>
    passingAuthKeys.includes(name) && auth[name] === ''
      ? []
      : [{ name, ...authTable[name], type: types.string, value: auth[name], readOnly: false }],
  );

const nowOf = (setting: Setting): string => `Now: ${shownOf(setting) || 'empty'}.`;

/** The settings that completion offers of the group in the line. */
const offered =
  (wanted: (setting: Setting) => boolean): MoreWords['offered'] =>
  (node, { preferences, given }) => {
    const group = groupsOf(node, preferences).find(({ name }) => name === given['group']);
    return (group?.settings() ?? []).filter(wanted).map((setting) => ({
      name: setting.name,
      doc: `${setting.doc} ${nowOf(setting)}`,
      words: setting.type.words ?? setting.words ?? [],
    }));
  };

const groupNames = (node: Node, { preferences }: { preferences: Preferences }) =>
  groupsOf(node, preferences).map(({ name }) => name);
/** The help on each kind of group. */
const groupDocs: Readonly<Record<string, string>> = {
  global: 'preferences of this shell, at every node the same',
  attribute: 'how it behaves',
  parameter: 'what is negotiated at login',
  auth: 'CHAP names and secrets',
  discovery_auth: 'CHAP names and secrets for discovery',
  alua: 'asymmetric access',
};
const groupParameter = optional('group', types.string, 'The group of settings.', {
  suggest: (node, session) => groupNames(node, session).map((name) => [name, groupDocs[name] ?? ''] as const),
});

export const getCommand: ShellCommand<unknown> = {
  doc: 'Shows settings: the groups there are, all settings of one, or some of them.',
  details: [
    'The group global holds the preferences of the shell, at every node alike. Other groups are those of the node: what they hold is configuration, and is saved with it.',
    'What is [ro] cannot be set. A secret is shown to who asks for it by its name.',
  ],
  seeAlso: ['set'],
  parameters: [groupParameter],
  more: { kind: 'words', name: 'parameter', doc: 'The settings to show.', offered: offered(() => true) },
  examples: [
    { line: 'get', does: 'Lists the groups of this node.' },
    { line: 'get global', does: 'Shows every preference of the shell.' },
    { line: 'get global color_mode prompt_length', does: 'Shows two of them.' },
  ],
  run(_subject, context, { values, words }) {
    const group = groupOf(context, values['group']);
    if (!group) return listGroups(context);
    const settings = group.settings();
    if (words.length === 0) return listSettings(context, group, settings, shownOf);
    for (const word of words) {
      const setting = settingNamed(word, settings, group);
      context.print(`${setting.name}=${setting.value} ${setting.readOnly ? '[ro]' : ''}`);
    }
  },
  json(_subject, context, { values, words }) {
    const group = groupOf(context, values['group']);
    if (!group) return groupNames(context.node, context);
    const settings = group.settings();
    if (words.length === 0) return settingsData(settings);
    return settingsData(
      words.map((word) => settingNamed(word, settings, group)),
      ({ value }) => value,
    );
  },
};

const settingsData = (settings: readonly Setting[], shown = shownOf): unknown =>
  Object.fromEntries(
    settings.map((setting) => {
      const { name, type, readOnly, doc } = setting;
      return [name, { value: shown(setting), type: type.name, read_only: readOnly, description: doc }];
    }),
  );

/** The setting of a name. @throws OperatorError */
function settingNamed(word: string, settings: readonly Setting[], group: ConfigurationGroup): Setting {
  const setting = settings.find(({ name }) => name === word);
  if (setting) return setting;
  throw new OperatorError(
    `No parameter '${word}' in group '${group.name}'.`,
    didYouMean(
      word,
      settings.map(({ name }) => name),
    ) ?? `See: get ${group.name}`,
  );
}

export const setCommand: ShellCommand<unknown> = {
  doc: 'Changes settings, one after the other: the first that fails ends it.',
  details: [
    'The group global holds the preferences of the shell, at every node alike. Other groups are those of the node: what they hold is configuration, and is saved with it.',
    'Without a setting it lists what can be set in the group, with the type of each; without a group, the groups that this node has.',
    'A value in "quotes" may have blanks, and an empty one stands for none.',
    'A secret is read where the line is typed with @FILE (its first line break at the end is none of it) or @env:NAME, asked for with @ask or its name alone, and made and shown once with @generate. One that itself begins with @ is written with two: @@.',
  ],
  seeAlso: ['get'],
  parameters: [groupParameter],
  more: {
    kind: 'keywords',
    takesNames: true,
    name: 'parameter=value',
    doc: 'The settings and their new values; the name of a secret alone asks for it.',
    offered: offered(({ readOnly }) => !readOnly),
  },
  examples: [
    { line: 'set', does: 'Lists the groups of this node.' },
    { line: 'set global', does: 'Lists what can be set in one.' },
    { line: 'set global prompt_length=0 tree_max_depth=2', does: 'Sets two preferences.' },
  ],
  async run(_subject, context, { values, keywords: given, words, surplus }) {
    const isKnown = groupNames(context.node, context).includes(String(values['group']));
    if (surplus && !isKnown) throw surplus;
    const group = groupOf(context, values['group']);
    if (!group && given.length > 0) throw withoutGroup(context, given);
    if (!group) return listGroups(context);
    const writable = () => group.settings().filter(({ readOnly }) => !readOnly);
    const bare = words.map((word) => bareSetting(word, writable(), group) ?? refuse(surplus));
    if (given.length + bare.length === 0)
      return listSettings(context, group, writable(), ({ type }) => type.name, true);
    const secrets = new Set(group.settings().flatMap(({ name, secret }) => (secret ? [name] : [])));
    const keywords: (readonly [string, string])[] = [];
    for (const [name, text] of [...given, ...bare])
      keywords.push([name, secrets.has(name) ? await secretOf(name, text, context) : text]);
    // Waits for everything that one of them needs of somebody outside, before the first is set: they are one change.
    if (keywords.length > 1)
      await context.ahead(keywords.flatMap(([name, text]) => group.operations?.(name, text) ?? []));
    for (const [name, text] of keywords)
      try {
        await setOne(name, text, group, context);
      } catch (error) {
        await context.keep();
        throw error;
      }
    const problem = group.problem?.();
    if (problem) context.warn(problem);
    const advice = context.terminal.interactive ? group.advice?.() : undefined;
    if (advice) context.warn(advice);
  },
  json(_subject, context, { values, keywords }) {
    if (keywords.length > 0) throw new OperatorError('Only set without a value has a JSON form.');
    const group = groupOf(context, values['group']);
    return group
      ? settingsData(group.settings().filter(({ readOnly }) => !readOnly))
      : groupNames(context.node, context);
  },
};

const refuse = (error: OperatorError | undefined): never => {
  throw error ?? new OperatorError('Syntax error');
};

/** A setting that is named without a value: a secret is asked for. @returns undefined: there is none of that name @throws OperatorError for another one */
function bareSetting(
  word: string,
  settings: readonly Setting[],
  group: ConfigurationGroup,
): readonly [string, string] | undefined {
  const setting = settings.find(({ name }) => name === word);
  if (!setting) return undefined;
  if (setting.secret) return [word, secretWords.ask];
  throw new OperatorError(
    `${word} needs a value: set ${group.name} ${word}=VALUE`,
    `It is ${setting.value === '' ? 'empty' : setting.value} now. ${rangeOf(setting)}`.trimEnd(),
  );
}

/** The values that a setting can have, in a sentence; '' where its type says no more. */
const rangeOf = ({ words, range, type }: Setting): string => {
  const all = type.words ?? words ?? [];
  return range ?? (all.length > 0 ? `It can be ${all.join(', ')}.` : '');
};

/** @throws OperatorError */
async function setOne(name: string, text: string, group: ConfigurationGroup, context: Context): Promise<void> {
  const setting = group.settings().find((known) => known.name === name);
  if (!setting)
    throw new OperatorError(
      `Unknown parameter ${name} in group '${group.name}'.`,
      didYouMean(
        name,
        group.settings().flatMap((known) => (known.readOnly ? [] : known.name)),
      ) ?? `See: set ${group.name}`,
    );
  if (setting.readOnly) throw new OperatorError(`Parameter ${name} is read-only.`);
  if (setting.type.parse(text) === undefined)
    throw new OperatorError(
      `Not setting ${name}! ${syntaxError(setting.type, text)}`,
      (!setting.type.words && rangeOf(setting)) || undefined,
    );
  await group.set(name, text, context);
  const now = group.settings().find((known) => known.name === name);
  context.print(`Parameter ${name} is now '${now ? shownOf(now) : ''}'.`);
}

/** The groups of a node: `global` and its own. */
const groupsOf = (node: Node, preferences: Preferences): ConfigurationGroup[] => [
  globalGroup(preferences),
  ...node.groups(),
];

/** The group of a name. @returns undefined when none was named. @throws OperatorError for an unknown one */
function groupOf({ node, preferences }: Context, name: unknown): ConfigurationGroup | undefined {
  if (name === undefined) return undefined;
  const groups = groupsOf(node, preferences);
  const group = groups.find((known) => known.name === name);
  if (!group)
    throw new OperatorError(
      `Unknown configuration group: ${name}`,
      didYouMean(
        String(name),
        groups.map((known) => known.name),
      ) ?? `Groups here: ${groups.map((known) => known.name).join(', ')}`,
    );
  return group;
}

/** Refuses values without a group, which would set nothing: nobody means that. */
function withoutGroup({ node, preferences }: Context, keywords: readonly (readonly [string, string])[]): OperatorError {
  const [[name] = ['']] = keywords;
  const groups = groupsOf(node, preferences).filter((group) => group.settings().some((known) => known.name === name));
  const meant = groups.map((group) => `Did you mean: set ${group.name} ${name}=…`);
  return new OperatorError(
    `The group that ${name} belongs to is missing; nothing was set.`,
    meant.length > 0 ? meant.join('\n') : `Groups here: ${groupNames(node, { preferences }).join(', ')}`,
  );
}

function listGroups({ node, preferences, print }: Context): void {
  print(`\n${underlined('AVAILABLE CONFIGURATION GROUPS', '=')}`);
  print(
    groupsOf(node, preferences)
      .map(({ name }) => name)
      .join(' '),
  );
}

function listSettings(
  { print }: Context,
  group: ConfigurationGroup,
  settings: readonly Setting[],
  shown: (setting: Setting) => string,
  isSetting = false,
): void {
  print(underlined(`${group.name.toUpperCase()} CONFIG GROUP`, '='));
  for (const setting of settings) {
    const head = `${setting.name}=${shown(setting)}${setting.readOnly ? ' [ro]' : ''}`;
    const about = [setting.doc, isSetting && nowOf(setting), isSetting && rangeOf(setting)].filter(Boolean).join(' ');
    print(`${underlined(head, '-')}\n${about}\n`);
  }
}

/** A heading, and below it a line of the same length. */
export const underlined = (text: string, mark: '=' | '-'): string => `${text}\n${mark.repeat(text.length)}`;
