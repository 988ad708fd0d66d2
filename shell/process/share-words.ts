/** Makes a line of the shell of the words after `tcli share`. */

import { OperatorError, quoted } from '../../src/client.ts';

/** The words behind `share`. */
export interface ShareWords {
  /** The path; undefined: a list is wanted. */
  readonly path: string | undefined;
  /** Parameters of the shell's command. */
  readonly params: Readonly<Record<string, string>>;
  /** Whether the secret is to be asked for. */
  readonly ask: boolean;
}

const options: Readonly<Record<string, string>> = {
  '--size': 'size',
  '--allow': 'allow',
  '--chap': 'chap',
  '--port': 'port',
  '--name': 'name',
};

/** Reads words. @throws OperatorError */
export function readShare(words: readonly string[]): ShareWords {
  const params: Record<string, string> = {};
  let path: string | undefined;
  let ask = false;
  const rest = words.flatMap((word) =>
    /^--\w[\w-]*=/.test(word) ? [word.slice(0, word.indexOf('=')), word.slice(word.indexOf('=') + 1)] : [word],
  );
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    const name = Object.hasOwn(options, word) ? options[word] : undefined;
    if (word === '--read-only') params['read_only'] = 'true';
    else if (word === '--ask') ask = true;
    else if (/^--(password|secret)/.test(word))
      throw new OperatorError(
        'A secret does not stand on the command line, where everybody can read it (ps).',
        'One is made and shown with --chap USER; --ask asks for it, or reads it from standard input.',
      );
    else if (name) {
      const value = rest.shift();
      if (value === undefined) throw new OperatorError(`${word} needs a value`, 'See: tcli --help');
      // `allow` may be given several times, and the values add up.
      params[name] = name === 'allow' && params[name] ? `${params[name]},${value}` : value;
    } else if (word.startsWith('-')) throw new OperatorError(`share does not take ${word}`, 'See: tcli --help');
    else if (path === undefined) path = word;
    else throw new OperatorError(`share takes one path, not ${path} and ${word}`, 'See: tcli --help');
  }
  if (path === undefined && (words.length > 0 || ask))
    throw new OperatorError('share needs a path', 'See: tcli --help');
  if (ask && params['chap'] === undefined) throw new OperatorError('--ask needs --chap USER', 'See: tcli --help');
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
