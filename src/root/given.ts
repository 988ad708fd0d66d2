/**
 * A configuration that is given from outside, by a file that others write (`serve --config`): a description, or a saved
 * configuration. What it says stands after every start, and whenever it is read again. Whoever else wants to change something is
 * told where that is done.
 */

import { readFile, stat } from 'node:fs/promises';
import { OperatorError, reasonOf, wholeReasonOf } from '../errors.ts';
import type { Operation, PartOfChange, Value } from '../operations/operation.ts';
import { isRaw } from '../operations/raw.ts';
import type { Tree } from '../operations/tree.ts';
import { planDescription } from '../saved/description.ts';
import { readDescription, type SecretPlace } from '../saved/description-text.ts';
import { isRestored } from '../saved/rehearsal.ts';
import { checkShape, savedLists } from '../saved/saved-shape.ts';
import { slices } from '../system/slices.ts';
import { WorkQueue } from '../system/work-queue.ts';
import { ownAuthor } from './author.ts';
import type { ChangeHistory } from './history.ts';
import { newPart } from './options.ts';
import type { Root } from './root.ts';
import { parseConfiguration } from './saved-file.ts';
import type { Trials } from './trials.ts';

/** The size from which on a file is not read. */
const fileBytesMax = 64 << 20;

/** The form of a file, by the end of its name. */
const forms = { '.json': 'saved', '.yaml': 'description', '.yml': 'description' } as const;

/** The ways by which changes come all the same: the file's own, settings of initiators, and trials of an earlier process that end. */
const others: readonly (string | undefined)[] = ['config', 'initiator', 'trial'];

/** The parts of a host that a given configuration works on. */
interface ConfiguredParts {
  readonly root: Root;
  readonly history: ChangeHistory;
  readonly trials: Trials;
}

/** The outcome of taking a given configuration. */
export interface TakenConfiguration {
  readonly operations: number;
  /** Lines about the parts of a saved configuration that could not be restored. */
  readonly notes: readonly string[];
}

/** The configuration that a file gives. */
export class GivenConfiguration {
  readonly path: string;
  readonly #form: (typeof forms)[keyof typeof forms];
  #problem: string | undefined;
  /** The file is read once at a time. */
  readonly #readings = new WorkQueue();

  /** @throws OperatorError for a name that does not say what the file is */
  constructor(path: string) {
    const [, form] = Object.entries(forms).find(([end]) => path.endsWith(end)) ?? [];
    if (!form)
      throw new OperatorError(
        `${path}: its name does not say what it is`,
        'A description is called NAME.yaml, a saved configuration NAME.json.',
      );
    this.path = path;
    this.#form = form;
  }

  /** The reason why the file was not taken when it was read last. The configuration that it gave before stands. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** The line that tells users where the configuration comes from. */
  get remark(): string {
    return `The configuration is that of ${this.path} (serve --config); changes are made there`;
  }

  /** Refuses a change that does not come from the file. @throws OperatorError */
  refuse(part: PartOfChange | undefined): void {
    if (!others.includes(part?.by?.via))
      throw new OperatorError(
        `${this.remark}, and refused here.`,
        `When the file is changed, to have it read again: kill -HUP ${process.pid}, or systemctl reload tcli`,
      );
  }

  /**
   * Makes the tree what the file says, as one change. What initiators have set stays as long as the file says nothing else.
   * @throws OperatorError; the tree is then as it was
   */
  take(taker: ConfiguredParts): Promise<TakenConfiguration> {
    return this.#readings
      .take(() => this.#take(taker))
      .then(
        (result) => {
          this.#problem = undefined;
          return result;
        },
        (error) => {
          this.#problem = `${this.path} was not taken; what it said before is served: ${wholeReasonOf(error)}`;
          throw error;
        },
      );
  }

  async #take({ root, history, trials }: ConfiguredParts): Promise<TakenConfiguration> {
    const by = ownAuthor('config');
    const plan = await this.#read(root);
    // The file decides about changes that an earlier process had on trial.
    for (const { change } of trials.all) await trials.confirm(change, by);
    const withoutTheirs = await history.withoutInitiators();
    if (withoutTheirs && (await plan(withoutTheirs)).length === 0) return { operations: 0, notes: [] };
    const operations = await plan(root.tree);
    if (operations.length === 0) return { operations: 0, notes: [] };
    const prepared = await Promise.all(operations.map((operation) => root.prepare(operation) ?? operation));
    const part = newPart({ by, line: `serve --config ${this.path}` });
    const notes: string[] = [];
    await root.change(
      async (apply) => {
        const rest = slices();
        for (const operation of prepared) {
          notes.push(...(await apply(operation)).notes);
          await rest();
        }
      },
      { part },
    );
    return { operations: operations.length, notes };
  }

  /** Reads the file. @returns a function that plans the operations which make a tree as the file says */
  async #read(root: Root): Promise<(tree: Tree) => Promise<Operation[]>> {
    const text = await textOf(this.path);
    if (this.#form === 'description') {
      const description = await readDescription(text, this.path, secretAt);
      // The data of ramdisks went with the process before.
      return (tree) => planDescription(tree, description, true, root.serving);
    }
    const configuration = parseConfiguration(text, this.path);
    if (!isRaw(configuration) || !savedLists.some((list) => Object.hasOwn(configuration, list)))
      throw new OperatorError(
        `${this.path} is no saved configuration`,
        'It has lists of fabric_modules, storage_objects and targets. A description is called NAME.yaml, in JSON too.',
      );
    checkShape(configuration);
    const params = { configuration: configuration as Value, clear_existing: true };
    return async (tree) =>
      (await isRestored(tree, params)) ? [] : [{ path: '/', verb: 'restoreconfig', params } satisfies Operation];
  }
}

async function textOf(path: string): Promise<string> {
  try {
    const { size } = await regular(path);
    if (size > fileBytesMax) throw new Error(`it has more than ${fileBytesMax} bytes`);
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new OperatorError(`Cannot read ${path}: ${reasonOf(error)}`);
  }
}

/** Refuses a pipe or a device, whose end could be waited for forever. */
async function regular(path: string) {
  const found = await stat(path);
  if (!found.isFile()) throw new Error('it is no regular file');
  return found;
}

/** Reads the secret at a place that the description names, with the rights and in the environment of this process. */
async function secretAt(place: SecretPlace): Promise<string> {
  if ('file' in place) return (await textOf(place.file)).replace(/\r?\n$/, '');
  const value = process.env[place.env];
  if (value === undefined)
    throw new OperatorError(`The variable ${place.env} is not set`, 'The process that serves needs it.');
  return value;
}
