/** The shell without a terminal: a current path, preferences, and the running of lines. */

import { homedir } from 'node:os';
import { resolve } from 'node:path';
import {
  type Author,
  type Host,
  movesOf,
  newPart,
  OperatorError,
  type PathMove,
  pathAfter,
  printable,
  printableLine,
  reasonOf,
  type ServingProcess,
} from '../../src/index.ts';
import { askClient } from '../channel/client-file.ts';
import type {
  Candidate,
  LineCompletion,
  OutputSink,
  SessionState,
  ShellBackend,
  Terminal,
} from '../channel/protocol.ts';
import { rootNode } from '../nodes/root.ts';
import { type Color, paintText } from './color.ts';
import { type CommandLine, parseCommandLine } from './command-line.ts';
import { commandNamed } from './common-commands.ts';
import { complaintOf, marked, placeIn, refuseRest, syntaxErrorNear } from './complaint.ts';
import { completeLine } from './complete.ts';
import { inspect } from './inspect.ts';
import { isStream, jsonAnswer, jsonLine, wantsJson } from './json.ts';
import { askHowToLeave } from './leaving.ts';
import { LineChange } from './line-change.ts';
import { type Aim, aimsOf, doneAt, lossesOf } from './many.ts';
import { isWanted, type LogLevelWord, logMessage } from './message-log.ts';
import type { Context, Node } from './node.ts';
import { lookAlong, nearestNode, promptOf, resolvePath } from './path.ts';
import type { PreferenceName, Preferences } from './preferences.ts';
import { printableQuestion } from './printable-question.ts';
import { notYet, type Run } from './run.ts';
import { showLine } from './secrets.ts';
import { bindParameters } from './signature.ts';
import { printTime } from './time-type.ts';
import { columnsMax } from './tree-drawing.ts';
import { readTrialLine, type TrialLine } from './trial-line.ts';
import { wrapText } from './wrap.ts';

export interface SessionOptions {
  /** The path where the session starts; if it is gone, the session starts at the nearest node above. */
  readonly cwd?: string;
  /** Whether `exit` saves the configuration when the preference auto_save_on_exit says so. */
  readonly saveOnExit?: boolean;
  /** Whether errors are shown as they are, without colour or prefix: targetcli's way for a single command. */
  readonly bareErrors?: boolean;
  /** The author of the lines. */
  readonly by?: Author;
  /** The folder where relative file names start; absent: this process's. */
  readonly workingDirectory?: string;
  /** The process that serves, where the session stands in one. */
  readonly serving?: ServingProcess;
}

const shownAs = {
  error: { prefix: 'Error: ', color: 'red' },
  warning: { prefix: 'Warning: ', color: 'yellow' },
  info: { prefix: 'Info: ', color: 'green' },
} as const satisfies Partial<Record<LogLevelWord, { prefix: string; color: Color }>>;

/** The preferences that say how candidates look. */
const candidateColors = {
  path: 'color_path',
  bookmark: 'color_path',
  command: 'color_command',
  parameter: 'color_parameter',
  keyword: 'color_keyword',
} as const satisfies Record<Candidate['kind'], PreferenceName>;

/** One session. */
export class ShellSession implements ShellBackend {
  readonly #host: Host;
  readonly #preferences: Preferences;
  readonly #options: SessionOptions;
  #terminal: Terminal = { columns: columnsMax, color: false, interactive: false };
  #path: string;

  constructor(host: Host, preferences: Preferences, options: SessionOptions = {}) {
    this.#host = host;
    this.#preferences = preferences;
    this.#options = options;
    this.#path = options.cwd ?? '/';
  }

  get state(): SessionState {
    const { path } = this.#current();
    return {
      path,
      prompt: promptOf(path, this.#preferences.get('prompt_length') ?? 0),
      pager: this.#preferences.get('pager'),
    };
  }

  setTerminal(terminal: Terminal): void {
    this.#terminal = terminal;
  }

  /** Runs one line. Errors are told to `sink`; it never throws. */
  async run(line: string, sink: OutputSink, signal: AbortSignal): Promise<{ ok: boolean; exit: boolean }> {
    // The operations of one line are taken back together.
    const shown = showLine(line, printableLine);
    const { by } = this.#options;
    const part = newPart({ line: shown.text.trim(), ...(by && { by }) });
    const change = new LineChange(this.#host.root, { part, givenUp: signal });
    let run: Run = { sink, signal, change, part, line: shown, ...notYet };
    this.#preferences.look();
    for (const problem of this.#preferences.takeProblems()) this.#say('warning', problem, sink);
    try {
      await this.#host.root.observe();
      const trial = readTrialLine(line);
      if (trial) run = await this.#try(trial, run);
      else await this.#runLine(line, run);
      await run.change.settle();
      if (trial) this.#sayTrial(run);
      if (run.exit) run.exit = await this.#leave(run);
      return { ok: !run.failed, exit: run.exit };
    } catch (error) {
      await run.change.giveUp(error);
      this.#complain(error, run);
      return { ok: false, exit: run.exit };
    }
  }

  /** The words that can stand at `cursor`, and notes on the line. Nothing, when looking them up fails. */
  async complete(line: string, cursor: number): Promise<LineCompletion> {
    const before = line.slice(0, cursor);
    const none: LineCompletion = { from: cursor, candidates: [] };
    try {
      await this.#host.root.observe();
      const current = this.#current();
      await this.#lookAlong(parseCommandLine(before), current);
      const { from, candidates } = await completeLine(before, current, this.#preferences, this.#fileNamed).catch(
        () => none,
      );
      return {
        from,
        candidates: candidates.map(this.#shown),
        ...inspect(before, current, this.#preferences, candidates),
      };
    } catch {
      return none;
    }
  }

  readonly #shown = (candidate: Candidate): Candidate => {
    const shown = { ...candidate, help: printableLine(candidate.help) };
    const color = this.#preferences.get('color_mode') && this.#preferences.get(candidateColors[candidate.kind]);
    return color && color !== 'default' ? { ...shown, color } : shown;
  };

  async #runLine(line: string, run: Run): Promise<void> {
    const { shown, parsed, json } = wantsJson(line);
    if (/^\s*(#|$)/.test(shown)) return;
    run.json = json;
    refuseRest(run.line, parsed);
    const { path, command } = parsed;
    const current = this.#current();
    await this.#lookAlong(parsed, current);
    const aims = aimsOf(shown, parsed, current, this.#preferences.bookmarks);
    if (aims) return this.#runAtMany(aims, run);
    const node = path
      ? marked(run.line, path, () => resolvePath(path.text, current, this.#preferences.bookmarks))
      : current;
    if (command) {
      marked(run.line, command, () => commandNamed(node, command.text));
      return this.#runCommand(node, command.text, parsed, run);
    }
    const word = parsed.positional[0] ?? parsed.keywords[0]?.name;
    if (word)
      throw path ? syntaxErrorNear(run.line, word) : new OperatorError(`Command not found ${run.line.word(word)}`);
    await this.#goTo(node.path, run.sink);
  }

  /** The same at several nodes is one change, and one question. */
  async #runAtMany(aims: readonly Aim[], run: Run): Promise<void> {
    run.isForMany = true;
    if (!(await this.#mayRun(aims, run))) return;
    for (const { node, command, line } of aims) {
      if (!run.json) run.change.say(() => this.#write(run.sink, printableLine(`[${node.path}]`)));
      await doneAt(node, () => this.#runCommand(node, command, line, run));
    }
  }

  /** @returns whether whoever sits at a terminal lets something go away at several nodes */
  async #mayRun(aims: readonly Aim[], run: Run): Promise<boolean> {
    if (!this.#terminal.interactive) return true;
    const contextOf = (node: Node) => this.#context(node, run);
    const losses = await lossesOf(aims, contextOf, (word) => placeIn(run.line, word));
    if (losses.length === 0) return true;
    this.#write(run.sink, printable(losses.join('\n')));
    run.isAllowed = (await run.sink.ask({ kind: 'confirm', message: 'Do all of it?' })) === 'yes';
    return run.isAllowed;
  }

  /** Runs a line, or those of a file, as one change on trial. @returns that run */
  async #try({ ms, line, file }: TrialLine, given: Run): Promise<Run> {
    const trial = { ms, until: new Date(Date.now() + ms).toISOString() };
    const part = { ...given.part, trial };
    const run: Run = { ...given, part, change: new LineChange(this.#host.root, { part, givenUp: given.signal }) };
    try {
      if (line !== undefined) await this.#runLine(line, run);
      if (file !== undefined) await this.#runLines(await askClient(run.sink, { kind: 'file', path: file }), file, run);
    } catch (error) {
      await run.change.giveUp(error);
      throw error;
    }
    return run;
  }

  /** Runs lines as one change. @throws OperatorError that names the line which failed */
  async #runLines(text: string, file: string, run: Run): Promise<void> {
    for (const [number, line] of text.split('\n').entries())
      try {
        await this.#runLine(line, { ...run, line: showLine(line, printableLine) });
      } catch (error) {
        if (!(error instanceof OperatorError)) throw error;
        throw new OperatorError(`${file}:${number + 1}: ${error.message}`, error.hint);
      }
  }

  #sayTrial({ part, sink }: Run): void {
    const tried = this.#host.trials.all.find(({ change }) => change === part.of);
    const said = tried
      ? `It is taken back at ${printTime(tried.until)}, unless you say: confirm`
      : 'Nothing was changed, so nothing is on trial.';
    this.#say('info', said, sink);
  }

  /** Fetches the nodes that the line's words may name: any of them may be a path, or the name of a child. */
  async #lookAlong({ path, positional }: CommandLine, current: Node): Promise<void> {
    for (const { text } of [...(path ? [path] : []), ...positional])
      await lookAlong(text, current, this.#preferences.bookmarks);
  }

  async #runCommand(node: Node, name: string, parsed: CommandLine, run: Run): Promise<void> {
    run.signal.throwIfAborted();
    const command = commandNamed(node, name);
    const given = bindParameters(name, command, parsed, (word) => placeIn(run.line, word));
    const context = this.#context(node, run);
    if (!run.json) return command.run(node.subject, context, given);
    if (!command.json) throw new OperatorError(`${name} has no JSON form.`, 'Commands that show something have one.');
    const data = await command.json(node.subject, context, given);
    if (!isStream(data)) return run.change.say(() => run.sink.write(jsonAnswer(name, node.path, data), 'output'));
    for await (const part of data) run.sink.write(jsonLine(name, node.path, part), 'output');
  }

  #context(node: Node, run: Run): Context {
    const { sink, signal, change } = run;
    const say = (what: () => void) => change.say(what);
    const info = (text: string) => say(() => this.#say('info', text, sink));
    const moved = async (moves: readonly PathMove[]) => void (moves.length > 0 && (await this.#moved(moves, run)));
    return {
      node,
      host: this.#host,
      preferences: this.#preferences,
      terminal: this.#terminal,
      current: this.#current(),
      signal,
      part: run.part,
      print: (text) => say(() => this.#write(sink, printable(text))),
      draw: (lines) => say(() => this.#write(sink, lines.join('\n'))),
      info,
      warn: (text) => say(() => this.#say('warning', text, sink)),
      ask: async (question) => {
        if (run.isAllowed && question.kind === 'confirm') return 'yes';
        // A question to a person must not hold up the changes of others.
        await change.settle();
        return sink.ask(printableQuestion(question));
      },
      resolve: (path, from) => resolvePath(path, from ?? node, this.#preferences.bookmarks),
      fileNamed: this.#fileNamed,
      askClient: (question, words) => askClient(sink, question, words),
      goTo: (path, visit) => this.#goTo(path, sink, visit),
      moved,
      leave: () => {
        run.exit = true;
      },
      fail: () => {
        run.failed = true;
      },
      apply: async (path, verb, params) => {
        signal.throwIfAborted();
        const outcome = await change.apply({ path, verb, params });
        for (const note of outcome.notes) info(note);
        await moved(movesOf([outcome.operation]));
        return outcome;
      },
      ahead: (operations) => change.ahead(operations),
      begin: () => change.begin(),
      settle: () => change.settle(),
      keep: async () => void (run.isForMany || (await change.settle())),
      created: async (path) => change.say(() => this.#created(path, sink)),
    };
  }

  readonly #fileNamed = (name: string): string =>
    resolve(this.#options.workingDirectory ?? '.', name.replace(/^~(?=\/|$)/, homedir()));

  #current(): Node {
    const node = nearestNode(this.#path, rootNode(this.#host));
    this.#path = node.path;
    return node;
  }

  async #created(path: string, sink: OutputSink): Promise<void> {
    await this.#remember(this.#preferences.bookmark('last', path), sink);
    if (!this.#preferences.get('auto_cd_after_create')) return;
    this.#say('info', `Entering new node ${path}`, sink);
    await this.#goTo(path, sink);
  }

  /** The shell goes along at once, for the tree has moved it already; what is kept follows when the change is made. */
  async #moved(moves: readonly PathMove[], { change, sink }: Run): Promise<void> {
    const path = pathAfter(this.#path, moves);
    const isHere = path !== this.#path;
    this.#path = path;
    await change.say(async () => {
      await this.#remember(this.#preferences.follow(moves), sink);
      if (isHere) await this.#goTo(path, sink);
    });
  }

  async #goTo(path: string, sink: OutputSink, visit = true): Promise<void> {
    this.#path = path;
    if (visit) await this.#remember(this.#preferences.visit(path), sink);
  }

  /** Waits for preferences to be written. A line that was carried out does not fail when they cannot be. */
  async #remember(writing: Promise<void>, sink: OutputSink): Promise<void> {
    await writing.catch((error) => this.#say('warning', reasonOf(error), sink));
  }

  /** Asks how to leave. @returns whether the shell is left */
  async #leave(run: Run): Promise<boolean> {
    const { serving } = this.#options;
    const { interactive, columns } = this.#terminal;
    const how = serving && interactive ? await askHowToLeave(this.#host, serving, run.sink, columns) : 'leave';
    if (how === 'stay') return false;
    run.exit = how === 'leave';
    if (how === 'stop') await serving?.mayStop();
    run.exit = true;
    await this.#saveOnExit(run);
    if (how === 'stop') {
      run.sink.write('Stopping; initiators are told.\n', 'output');
      serving?.stop();
    }
    return true;
  }

  async #saveOnExit(run: Run): Promise<void> {
    const { heldBy, given } = this.#host;
    if (!this.#options.saveOnExit || heldBy || given || !this.#preferences.get('auto_save_on_exit')) return;
    this.#say('info', 'Global pref auto_save_on_exit=true', run.sink);
    const root = rootNode(this.#host);
    await this.#runCommand(root, 'saveconfig', parseCommandLine('saveconfig'), run);
  }

  #complain(error: unknown, { sink, line }: Run): void {
    const { interactive, columns } = this.#terminal;
    const [first = '', ...hints] = complaintOf(error, interactive).map((text) => printable(line.without(text)));
    if (this.#options.bareErrors) sink.write(`${first}\n`, 'error');
    else this.#say('error', first, sink);
    for (const hint of hints) sink.write(`${interactive ? wrapText(hint, columns - 1) : hint}\n`, 'error');
  }

  /** Says a message: it is shown, and kept in the log, when the preferences want it. */
  #say(level: keyof typeof shownAs, said: string, sink: OutputSink): void {
    const text = printable(said);
    const logFile = this.#preferences.get('logfile');
    if (logFile !== '' && isWanted(level, this.#preferences.get('loglevel_file'))) logMessage(logFile, level, text);
    if (!isWanted(level, this.#preferences.get('loglevel_console'))) return;
    const { prefix, color } = shownAs[level];
    const shown = !this.#preferences.get('color_mode')
      ? prefix + text
      : this.#terminal.color
        ? paintText(text, color)
        : text;
    sink.write(`${shown}\n`, level === 'error' ? 'error' : 'output');
  }

  #write(sink: OutputSink, text: string): void {
    const color = this.#preferences.get('color_default') as Color;
    const colored = this.#terminal.color && this.#preferences.get('color_mode') && color !== 'none';
    sink.write(`${colored ? paintText(text, color) : text}\n`, 'output');
  }
}
