// The words of the program, of which reading, --help, completion, the manual page and what is written about them are made: all of them know
// the same options. Not here: what the words do.

import { globSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { readArguments } from '../../../shell/process/arguments.ts';
import { completeWords } from '../../../shell/process/completion-script.ts';
import { manual } from '../../../shell/process/manual.ts';
import { programEnvironment, programOptions, programWord, programWordNames } from '../../../shell/process/program.ts';
import { programHelp, wordHelp } from '../../../shell/process/program-help.ts';
import { toldOptionNames } from '../../../shell/process/program-words.ts';
import { lastWords } from '../../../src/client.ts';
import { isOfSystemd, variablesRead } from '../../support/variables-read.ts';

const project = resolve(import.meta.dirname, '../../..');
const text = (file: string) => readFileSync(join(project, file), 'utf8');
const words = programWordNames.map((name) => [name, programWord(name)] as const);
const told = words.map(([name, { options }]) => [name, toldOptionNames(options)] as const);
const complaint = (...typed: string[]): string => {
  try {
    return `none: ${JSON.stringify(readArguments(typed).wants)}`;
  } catch (error) {
    return lastWords(error);
  }
};
const page = manual(new Date(0));
const optionsIn = (help: string) => [...new Set(Array.from(help.matchAll(/(?<=^ {2})--[\w-]+/gm), ([one]) => one))];

test.each(told)('%s: its help, its completion and the manual have the same options', async (name, options) => {
  expect(optionsIn(wordHelp(name.split(' ')))).toEqual(options);
  const session = { complete: async () => ({ from: 0, candidates: [] }) };
  const offered = await completeWords(session, `${name} --`);
  expect(offered.map((line) => line.split('\t')[0])).toEqual(options);
  const [, section = ''] = (await page).replaceAll('\\-', '-').split(new RegExp(`^\\.SS tcli ${name}(?= |$).*$`, 'm'));
  expect(Array.from(section.split(/^\.S/m, 1)[0]!.matchAll(/^\.B (--[\w-]+)/gm), ([, one]) => one)).toEqual(options);
});

test('the help of the program has its options, all words, and what stands behind words of two; its lines fit a terminal', () => {
  const help = programHelp();
  for (const name of toldOptionNames(programOptions)) expect(help).toMatch(new RegExp(`(?:^  |, )${name}\\b`, 'm'));
  for (const [name] of words) for (const part of name.split(' ')) expect(help).toMatch(new RegExp(`[ |]${part}\\b`));
  const pages = [help, ...programWordNames.map((name) => wordHelp(name.split(' ')))].join('\n').split('\n');
  // An example is one line, to be copied.
  expect(pages.filter((line) => line.length > 79 && !line.startsWith('  tcli '))).toEqual([]);
});

const readHere = words.filter(([, { isForeign }]) => !isForeign);

test.each(readHere)('%s: an option that it does not have is refused, and its help is named', (name) => {
  expect(complaint(...name.split(' '), '--nosuch')).toBe(`${name} does not take --nosuch\nSee: tcli ${name} --help`);
});

const valued = words.flatMap(([name, { options }]) =>
  Object.entries(options).flatMap(([option, { value, words: known, isOptional }]) =>
    (value ?? known) && !isOptional ? [[name, option] as const] : [],
  ),
);

test.each(valued)('%s %s: a value that was forgotten is asked for', (name, option) => {
  const needs = `${option} needs a value: ${option} `;
  expect(complaint(...name.split(' '), option)).toContain(needs);
  expect(complaint(...name.split(' '), option, option)).toContain(needs);
});

test.each([
  [['serve', '--wait', 'soon'], '--wait is SECONDS, not soon\nSee: tcli serve --help'],
  [['serve', '--log-level', 'loud'], '--log-level is error|warning|info|debug, not loud'],
  [['serve', '--metrics', '70000'], '--metrics: 70000 is no address and port'],
  [['serve', '--metrics', '::1'], '--metrics is [ADDRESS:]PORT, not ::1'],
  [['serve', '--wiat', '3'], 'Did you mean --wait?'],
  [['serve', 'disk'], 'serve does not take disk'],
  [['daemon', 'stop', '--wait', '3'], 'daemon stop does not take --wait'],
  [['daemon', 'strat'], 'daemon takes one of: start, restart, stop, status, install'],
  [['daemon'], 'See: tcli daemon --help'],
  [['daemon', 'install', '--force'], 'daemon install does not take --force'],
  [['daemon', 'strat'], 'Did you mean start?\nSee: tcli daemon --help'],
  [['deamon', 'status'], 'Unknown word deamon\nDid you mean daemon?'],
  [['--json', 'daemon', 'stop'], 'daemon stop has no JSON form.'],
  [['--json', 'cluster', 'leave'], 'cluster leave has no JSON form.'],
  [['--json', 'completion', 'bash'], 'completion has no JSON form.'],
  [['cluster', 'move', 'disk0'], 'It is: tcli cluster move STORAGE-OBJECT GATEWAY'],
  [['cluster', 'drain'], 'It is: tcli cluster drain GATEWAY'],
  [['restore', 'a', 'b'], 'It is: tcli restore [FILE]'],
  [['restore', '--wait=x'], '--wait is SECONDS, not x'],
  [['share', 'a', 'b'], 'It is: tcli share [PATH]'],
  [['share', 'a', '--read-only=yes'], 'share does not take --read-only=yes'],
  [['apply', 'f.yaml', '--prune-all'], 'apply does not take --prune-all'],
  [['--hmoe', '/x'], 'Unknown option --hmoe\nDid you mean --home?\nSee: tcli --help'],
  [['--on-error', 'ignore'], '--on-error is stop|continue, not ignore'],
  [['-f'], '-f needs a value: -f FILE'],
])('%j says what is wrong', (typed, says) => {
  expect(complaint(...typed)).toContain(says);
});

test('words become what they say', () => {
  const wants = (...typed: string[]) => readArguments(typed).wants;
  expect(wants('serve', '--tgtadm', '--loops=0', '--wait', '30')).toMatchObject({
    serve: { tgtadm: 0, loops: 0, waitMs: 30_000, words: ['--tgtadm', '0', '--loops', '0', '--wait', '30'] },
  });
  expect(wants('daemon', 'restart', '--force', '--tgtadm', '3')).toMatchObject({
    kind: 'daemon',
    action: 'restart',
    force: true,
    serve: { tgtadm: 3, words: ['--tgtadm', '3'] },
  });
  expect(wants('cluster', 'join', 'https://e:2379', '--name', 'gw-a', '--replace')).toMatchObject({
    cluster: { action: 'join', endpoints: 'https://e:2379', name: 'gw-a', cluster: 'tcli', replace: true },
  });
  expect(wants('apply', 'f.yaml', '--prune', '--dry-run', '--exit-code')).toEqual({
    kind: 'command',
    line: '--json apply f.yaml prune=true dry_run=true',
    tellsChange: true,
  });
  expect(wants('--json', 'apply', 'f.yaml', '--exit-code')).toEqual({
    kind: 'command',
    line: '--json apply f.yaml',
    tellsChange: true,
  });
  expect(wants('-c', '')).toEqual({ kind: 'lines', lines: [''] });
  expect(wants('--json', 'cluster', 'status')).toEqual({ kind: 'cluster', cluster: { action: 'status', json: true } });
  expect(wants('daemon', 'start', '--force', '--help')).toEqual({ kind: 'help', topic: ['daemon', 'start'] });
  expect(wants('export', '--tgt')).toEqual({ kind: 'command', line: 'export tgt secrets=true' });
  for (const asked of [
    ['daemon', '--help'],
    ['help', 'daemon'],
  ] as const)
    expect(wants(...asked)).toEqual({ kind: 'help', topic: ['daemon'] });
  expect(wants('help', 'apply')).toEqual({ kind: 'command', line: 'help apply' });
});

test('the docs and units name options that the program has', () => {
  const files = globSync(['README.md', 'docs/*.md', 'packaging/**/*.{md,service,socket,yaml,yml}'], { cwd: project });
  const used = files.flatMap((file) =>
    [...text(file).matchAll(/\btcli ((?:daemon |cluster )?[a-z-]+)\b([^\n`|;&#]*)/g)].flatMap(
      ([, name = '', rest = '']) => {
        const word = programWordNames.find((one) => one === name);
        return word ? Array.from(rest.matchAll(/(?<=\s)--[a-z][\w-]*/g), ([option]) => ({ file, word, option })) : [];
      },
    ),
  );
  expect(used.length).toBeGreaterThan(20);
  const knows = (word: (typeof used)[number]['word'], option: string) =>
    [programWord(word).options, programOptions].some((options) => Object.hasOwn(options, option));
  expect(used.filter(({ word, option }) => !programWord(word).isForeign && !knows(word, option))).toEqual([]);
});

/** Variables that are for programs: who reads them sets them. */
const untold = /^(?:TCLI_CALLED|TCLI_VERSION|PATH|HOME|SOURCE_DATE_EPOCH|INVOCATION_ID|NODE_\w+)$/;

test('each variable of the environment that the program reads is told of', () => {
  const read = variablesRead('src/**/*.ts', 'shell/**/*.{ts,tsx}');
  const known = Object.keys(programEnvironment).map((name) => name.replace(/=.*/, ''));
  const isTold = (name: string) => known.includes(name) || untold.test(name) || isOfSystemd(name);
  expect(read.filter((name) => !isTold(name))).toEqual([]);
  expect(known.filter((name) => !read.includes(name) && !name.startsWith('TCLI_'))).toEqual([]);
});
