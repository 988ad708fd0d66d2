/**
 * Files and variables that a line names are read where it was typed, with the rights of the user who typed it: the engine asks for their
 * contents.
 */

import { readFile, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { OperatorError, printable, reasonOf } from '../../src/client.ts';
import type { SecretPlace } from '../../src/index.ts';
import { secretPlace } from '../session/given-secret.ts';
import { wantsJson } from '../session/json.ts';
import { readTrialLine, type TrialLine } from '../session/trial-line.ts';
import type { AskedWords, ClientQuestion, OutputSink } from './protocol.ts';

/** A larger file is not read. */
const fileBytesMax = 1 << 20;

/** The bit of a file's mode by which everybody reads it. */
const othersMayRead = 0o004;

/** Asks for a file or a variable. @throws OperatorError when it cannot be had */
export async function askClient(
  sink: OutputSink,
  question: ClientQuestion,
  { what = nameOf(question), hint }: AskedWords = {},
): Promise<string> {
  const { text, error, warning } = parseAnswer(await (sink.read?.(question) ?? answerHere(question)));
  if (text === undefined) throw new OperatorError(`Cannot read ${what}: ${error ?? 'nobody can do that here'}`, hint);
  if (warning !== undefined) sink.write(`${printable(warning)}\n`, 'error');
  return text;
}

const nameOf = (question: ClientQuestion): string =>
  question.kind === 'file' ? question.path : `the variable ${question.name}`;

type Answer = { readonly [word in 'text' | 'error' | 'warning']?: string };

function parseAnswer(answer: string | null): Answer {
  try {
    const words = Object.entries(JSON.parse(answer ?? '{}') as Record<string, unknown>);
    return Object.fromEntries(words.filter((entry): entry is [string, string] => typeof entry[1] === 'string'));
  } catch {
    return {};
  }
}

/** The meaning of a file to a line: a description, whose secrets may be elsewhere; lines, each of which may name files; or a secret. */
type Purpose = 'description' | 'lines' | 'secret';

/**
 * A line that was typed, and the files that the engine may ask for while the line runs: the file that the line names, by that very name,
 * and then the files that it refers to. The process that serves may be another user's, and would otherwise read everything here.
 */
export class TypedLine {
  readonly #files = new Map<string, Purpose>();
  readonly #variables = new Set<string>();

  constructor(line: string) {
    const trial = trialOf(line);
    if (trial?.file !== undefined) this.#files.set(trial.file, 'lines');
    else this.#allow(trial?.line ?? line);
  }

  async answer(question: ClientQuestion): Promise<string> {
    if (question.kind === 'variable')
      return this.#variables.has(question.name) ? answerHere(question) : refused('the variable');
    const purpose = this.#files.get(question.path);
    if (purpose === undefined) return refused('the file');
    const answer = await answerHere({ ...question, ...(purpose === 'secret' && { secret: true }) });
    const { text } = parseAnswer(answer);
    if (text !== undefined && purpose === 'lines') for (const line of text.split('\n')) this.#allow(line);
    if (text !== undefined && purpose === 'description') await this.#allowSecrets(text);
    return answer;
  }

  #allow(line: string): void {
    const { command, positional, keywords } = wantsJson(line).parsed;
    for (const { name, value } of keywords) {
      const place = secretPlace(name.text, value.text);
      if (place?.kind === 'file') this.#files.set(place.path, 'secret');
      if (place?.kind === 'variable') this.#variables.add(place.name);
    }
    if (command?.text !== 'apply') return;
    const file = keywords.find(({ name }) => name.text === 'file')?.value ?? positional[0];
    if (file) this.#files.set(file.text, 'description');
  }

  async #allowSecrets(text: string): Promise<void> {
    // The module is loaded only here, since it brings the engine along.
    const { readDescription } = await import('../../src/index.ts');
    const allow = async (place: SecretPlace) => {
      if ('env' in place) this.#variables.add(place.env);
      else if (!this.#files.has(place.file)) this.#files.set(place.file, 'secret');
      return '';
    };
    // The engine refuses a file that is no description, in words of its own.
    await readDescription(text, '', allow).catch(() => {});
  }
}

const refused = (what: string) => JSON.stringify({ error: `the line that was typed does not name ${what}` });

function trialOf(line: string): TrialLine | undefined {
  try {
    return readTrialLine(line);
  } catch {
    return undefined;
  }
}

/** The answer to a question, in the process in which the line was typed. */
export async function answerHere(question: ClientQuestion): Promise<string> {
  if (question.kind === 'variable') {
    const text = process.env[question.name];
    return JSON.stringify(text === undefined ? { error: 'it is not set' } : { text });
  }
  const name = question.path.replace(/^~(?=\/|$)/, homedir());
  try {
    const { size, mode } = await stat(name);
    if (size > fileBytesMax) throw new Error(`it has more than ${fileBytesMax} bytes`);
    const isOpen = question.secret && (mode & othersMayRead) !== 0;
    const warning =
      isOpen && `Everybody on this machine can read ${question.path}, which has a secret: chmod go= ${question.path}`;
    return JSON.stringify({ text: await readFile(name, 'utf8'), ...(warning && { warning }) });
  } catch (error) {
    return JSON.stringify({ error: reasonOf(error) });
  }
}
