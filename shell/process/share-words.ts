/** Makes a line of the shell of the words after `tcli share`. */

import { OperatorError, quoted } from '../../src/client.ts';
import { type ProgramOption, sharingOptions } from './program.ts';
import { readWord } from './program-words.ts';

/** The words behind `share`. */
export interface ShareWords {
  /** The path; undefined: a list is wanted. */
  readonly path: string | undefined;
  /** Parameters of the shell's command. */
  readonly params: Readonly<Record<string, string>>;
  /** Whether the secret is to be asked for. */
  readonly ask: boolean;
}

/** Reads words. @throws OperatorError */
export function readShare(words: readonly string[]): ShareWords {
  if (words.some((word) => /^--(password|secret)/.test(word)))
    throw new OperatorError(
      'A secret does not stand on the command line, where everybody can read it (ps).',
      'One is made and shown with --chap USER; --ask asks for it, or reads it from standard input.',
    );
  const given = readWord('share', words);
  const [path] = given.operands;
  const ask = given.has('--ask');
  const params: Record<string, string> = {};
  for (const [name, value = 'true'] of given.options) {
    const { parameter }: ProgramOption = sharingOptions[name];
    if (parameter === undefined) continue;
    // `allow` may be given several times, and the values add up.
    params[parameter] = name === '--allow' && params[parameter] ? `${params[parameter]},${value}` : value;
  }
  if (path === undefined && words.length > 0) throw new OperatorError('share needs a path', 'See: tcli share --help');
  if (ask && params['chap'] === undefined) throw new OperatorError('--ask needs --chap USER', 'See: tcli share --help');
  return { path, params, ask };
}

/** A secret as a line has it that is meant as it stands, though it may begin with @. */
const literally = (secret: string): string => (secret.startsWith('@') ? `@${secret}` : secret);

/** The line of the shell. */
export function shareLine({ path, params }: ShareWords, secret: string | undefined): string {
  const words = {
    ...(path !== undefined && { path }),
    ...params,
    ...(secret !== undefined && { password: literally(secret) }),
  };
  return ['share', ...Object.entries(words).map(([name, value]) => `${name}=${quoted(value)}`)].join(' ');
}
