/** `tcli tgt-admin …`: the work of tgt-admin, in its words and with its exit statuses, where tgt is not installed. */

import type { LongOption } from './getopt.ts';
import { perlOptions } from './perl-options.ts';
import { Administration, defaultFile } from './tgt-administration.ts';
import { type Streams, ToolEnded, toItsEnd } from './tgt-commands.ts';

/** The options: name, short form where there is one; a colon: it takes an argument. */
const options = [
  ...['execute e', 'show s', 'ignore-errors', 'force f', 'pretend p', 'dump', 'verbose v', 'help h'],
  ...['delete:', 'offline:', 'ready:', 'update:', 'conf c:', 'control-port C:'],
].map((line): LongOption => {
  const [name = '', letter = name] = line.replace(':', '').split(' ');
  return { name, letter, argument: line.endsWith(':') };
});

const usage = `Usage: tgt-admin [OPTION]…

This is tcli, in the words of tgt-admin. It reaches a tcli that serves with --tgtadm, or a tgtd.

  -e, --execute             make the targets of the file that are not there
      --update WHICH        make them anew: ALL, a name, or tid=N
      --delete WHICH        remove targets: ALL, a name, or tid=N
      --offline WHICH       let nobody log in: ALL, a name, or tid=N
      --ready WHICH         let initiators log in again: ALL, a name, or tid=N
  -s, --show                show all targets
      --dump                print what there is as a file, without secrets
  -c, --conf FILE           the file; ${defaultFile} when not said
  -C, --control-port N      which tgtd
  -f, --force               also what is in use
  -p, --pretend             only print the commands of tgtadm
  -v, --verbose             print them, too
      --ignore-errors       go on when one of them fails
  -h, --help                print this
`;

/** The help of an action. @param act the word for the action on targets @param others further lines */
const helpOf = (act: string, others: string): string =>
  [
    `      --${act} <value>\t\t${act} all or selected targets`,
    ...(others === '' ? [] : [others]),
    '',
    'Example usage:',
    `      --${act} help\t      - display this help`,
    `      --${act} ALL\t      - ${act} all targets`,
    `      --${act} tid=4\t      - ${act} target 4 (target with tid 4)`,
    `      --${act} iqn.2008-08.com.example:some.target - ${act} this target`,
    '',
    '',
  ].join('\n');
const unlessForced = '\t\t\tOne that an initiator is logged in to only with --force.';

/** Runs tgt-admin. @returns its exit status */
export function tgtAdmin(words: readonly string[], environment: NodeJS.ProcessEnv, streams: Streams): Promise<number> {
  const { found, problems } = perlOptions(words, options);
  for (const problem of problems) streams.complain(`${problem}\n`);
  const argumentOf = (name: string) => found.get(options.find((one) => one.name === name)!.letter);
  const has = (name: string) => argumentOf(name) !== undefined;
  return toItsEnd(async () => {
    if (words.length === 0 || has('help')) return streams.say(usage);
    const administration = new Administration(environment, streams, {
      file: argumentOf('conf'),
      port: argumentOf('control-port') ?? '0',
      ignoreErrors: has('ignore-errors'),
      force: has('force'),
      pretend: has('pretend'),
      verbose: has('verbose'),
      isUpdate: has('update'),
    });
    if (has('show')) return administration.show();
    if (has('execute')) return administration.execute();
    for (const act of ['delete', 'update'] as const) {
      const which = argumentOf(act);
      if (which === 'help') return streams.say(helpOf(act, unlessForced));
      if (which !== undefined) return administration[act](which);
    }
    if (has('dump')) return administration.dump();
    const [offline, ready] = [argumentOf('offline'), argumentOf('ready')];
    if (offline !== undefined && ready !== undefined) {
      streams.say("Invalid value (you can't use both ready and offline)!\n");
      throw new ToolEnded(1);
    }
    const state = offline === undefined ? 'ready' : 'offline';
    const which = offline ?? ready;
    if (which === undefined) return streams.say('No action specified.\n');
    if (which === 'help') return streams.say(helpOf(state, ''));
    return administration.setState(which, state);
  });
}
