/**
 * Where a secret of a line comes from: it stands there, or the line says where it is. What begins with @ is not the secret itself:
 * `@FILE` and `@env:NAME` are read by the program of whoever types, `@ask` asks the person, `@generate` makes one and shows it once.
 */

import { randomBytes } from 'node:crypto';
import { isSecret, OperatorError } from '../../src/client.ts';
import type { ClientQuestion } from '../channel/protocol.ts';
import type { Context } from './node.ts';

/** Words in the place of a secret. */
export const secretWords = { ask: '@ask', generate: '@generate' } as const;
const variablePrefix = '@env:';
/** 96 bits, as RFC 7143 9.2.1 wants them, in the 16 characters that Windows takes. */
const secretBytes = 12;

/** A secret that nobody can guess. */
export const newSecret = (): string => randomBytes(secretBytes).toString('base64url');

/** The file or variable in which the program of whoever types finds the value of the setting with this name; undefined: none. */
export function secretPlace(name: string, text: string): ClientQuestion | undefined {
  const isElsewhere = isSecret(name) && text.startsWith('@') && !text.startsWith('@@');
  if (!isElsewhere || text === secretWords.ask || text === secretWords.generate) return undefined;
  return text.startsWith(variablePrefix)
    ? { kind: 'variable', name: text.slice(variablePrefix.length) }
    : { kind: 'file', path: text.slice(1), secret: true };
}

/** The secret that a line means. @throws OperatorError, which never repeats what was typed: it may be a secret after all */
export async function secretOf(
  name: string,
  text: string,
  { ask, askClient, print }: Pick<Context, 'ask' | 'askClient' | 'print'>,
): Promise<string> {
  if (text.startsWith('@@')) return text.slice(1);
  if (text === secretWords.generate) {
    const secret = newSecret();
    print(`${name} is ${secret}`);
    return secret;
  }
  const place = secretPlace(name, text);
  const secret = place
    ? await read(name, place, askClient)
    : text === secretWords.ask
      ? await ask({ kind: 'secret', message: name })
      : text;
  if (secret === null)
    throw new OperatorError(`No ${name} was given.`, `Nobody can be asked here, or nobody answered: ${ways(name)}`);
  if (secret === '' && text !== '') throw new OperatorError(`The ${name} that was given is empty.`);
  return secret;
}

async function read(name: string, place: ClientQuestion, askClient: Context['askClient']): Promise<string> {
  const what = `the ${place.kind} that ${name}=@… names`;
  const hint = `${ways(name)}. A secret that begins with @ has two of them: @@`;
  return (await askClient(place, { what, hint })).replace(/\r?\n$/, '');
}

const ways = (name: string): string =>
  `${name}=@FILE, ${name}=${variablePrefix}NAME, ${name}=${secretWords.ask}, ${name}=${secretWords.generate}`;
