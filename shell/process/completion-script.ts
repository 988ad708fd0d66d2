/** Completion of `tcli …` in bash, zsh and fish: scripts that ask the program itself (`tcli __complete -- LINE`). */

import { type Dirent, readdirSync } from 'node:fs';
import { OperatorError } from '../../src/client.ts';
import type { LineCompletion } from '../channel/protocol.ts';
import { type ProgramOption, type ProgramOptions, programOptions, programWord } from './program.ts';
import { docOfFirst, firstWords, takesValue, toldOptionNames, wordAt, wordsBehind } from './program-words.ts';

const scripts: Readonly<Record<string, string>> = {
  bash: `# tcli completion bash > /etc/bash_completion.d/tcli, or: source <(tcli completion bash)
_tcli() {
  local line=\${COMP_LINE:0:COMP_POINT} word before
  line=\${line#*[[:blank:]]}
  word=\${line##*[[:blank:]]}
  mapfile -t COMPREPLY < <("\${COMP_WORDS[0]}" __complete -- "$line" 2>/dev/null | cut -f1)
  # bash takes : and = for the ends of words: what stands before the last one is there already.
  before=\${word%"\${word##*[:=]}"}
  COMPREPLY=("\${COMPREPLY[@]#"$before"}")
  [[ \${#COMPREPLY[@]} -eq 1 && \${COMPREPLY[0]} == *[/=] ]] && compopt -o nospace 2>/dev/null
  return 0
}
complete -F _tcli tcli targetcli
`,
  zsh: `#compdef tcli targetcli
# tcli completion zsh > "\${fpath[1]}/_tcli"
_tcli() {
  local -a texts shown
  local line
  for line in "\${(@f)$("$words[1]" __complete -- "\${(j: :)words[2,CURRENT]}" 2>/dev/null)}"; do
    [[ -n $line ]] || continue
    texts+=("\${line%%$'\\t'*}")
    shown+=("\${line/$'\\t'/  -- }")
  done
  compadd -Q -S '' -d shown -a texts
}
_tcli "$@"
`,
  fish: `# tcli completion fish > ~/.config/fish/completions/tcli.fish
for program in tcli targetcli
  complete -c $program -f -a '(command tcli __complete -- (string join -- " " (commandline -opc)[2..] (commandline -ct)) 2>/dev/null)'
end
`,
};

/** The script for a shell. @throws OperatorError for a shell without one */
export function completionScript(shell: string): string {
  const script = Object.hasOwn(scripts, shell) ? scripts[shell] : undefined;
  if (script === undefined)
    throw new OperatorError(`completion takes one of: ${Object.keys(scripts).join(', ')}`, 'tcli completion bash');
  return script;
}

/** A word that can stand there, and its help. */
type OfferedWord = [text: string, help: string];

/** The number of entries of one folder that are offered. */
const entriesMax = 1000;

/** The options of the program that stand before a line, as many as there are; the last one may be unfinished, and is kept. */
const programOptionsBefore = new RegExp(
  `^(?:(?:${Object.entries(programOptions)
    .filter(([name]) => name.startsWith('--'))
    .map(([name, option]) => (takesValue(option) ? `${name}(?:=|\\s+)\\S+` : name))
    .join('|')})\\s+)*`,
);

/** The words of the program that can stand at the end of `typed`, and whether those of the shell can stand there as well. */
function ownWords(typed: string): { words: OfferedWord[]; isLine: boolean } {
  const parts = typed.split(/\s+/);
  const last = parts.pop() ?? '';
  const offered = (words: OfferedWord[], isLine = false) => ({
    words: words.filter(([text]) => text.startsWith(last)),
    isLine,
  });
  const [first] = parts;
  if (first === undefined)
    return last.startsWith('-')
      ? offered(optionOffers(programOptions))
      : offered(
          firstWords.map((word) => [word, docOfFirst(word)]),
          true,
        );
  const found = wordAt(parts);
  const record = found && programWord(found.name);
  const options: ProgramOptions = record?.options ?? (first.startsWith('-') ? programOptions : {});
  const value = valueAt(options, parts.at(-1) ?? '', last);
  if (value) return offered(value);
  const behind = wordsBehind(first);
  if (!record && behind.length > 0)
    return offered(behind.map((one) => [one, programWord(wordAt([first, one])!.name).doc]));
  if (!record) return offered([], !first.startsWith('-'));
  if (last.startsWith('-')) return offered(optionOffers(options));
  const isLine = record.isCommand === true;
  return offered(
    isLine ? [] : record.operands.flatMap((operand) => valueOffers(operand.replace(/[[\]]/g, ''), last)),
    isLine,
  );
}

const optionOffers = (options: ProgramOptions): OfferedWord[] =>
  toldOptionNames(options).map((name) => [name, options[name]!.doc]);

/** The values of the option that `last` stands behind, or that it begins with; undefined when it is no value. */
function valueAt(options: ProgramOptions, before: string, last: string): OfferedWord[] | undefined {
  const [, inline, text = ''] = /^(--[\w-]+)=(.*)$/s.exec(last) ?? [];
  const name = inline ?? before;
  const option: ProgramOption | undefined = Object.hasOwn(options, name) ? options[name] : undefined;
  if (!option || !takesValue(option)) return undefined;
  if (inline === undefined && option.isOptional) return undefined;
  const offers = valueOffers(option.words?.join('|') ?? option.value ?? '', inline === undefined ? last : text);
  return inline === undefined ? offers : offers.map(([value, help]) => [`${inline}=${value}`, help]);
}

/** The values that a form stands for: words, or files. */
function valueOffers(form: string, typed: string): OfferedWord[] {
  if (/^(?:FILE|DIR|PATH)$/.test(form)) return filesAt(typed, form === 'DIR');
  return form.split('|').flatMap((one): OfferedWord[] => (/^[a-z][\w-]*$/.test(one) ? [[one, '']] : []));
}

function filesAt(typed: string, areFolders: boolean): OfferedWord[] {
  const folder = typed.slice(0, typed.lastIndexOf('/') + 1);
  let entries: Dirent[] = [];
  try {
    entries = readdirSync(folder || '.', { withFileTypes: true });
  } catch {
    // There is nothing to offer in a folder that cannot be read.
  }
  return entries
    .filter((entry) => !areFolders || entry.isDirectory())
    .filter(({ name }) => !/[\s\\]/.test(name) && (folder + name).startsWith(typed))
    .slice(0, entriesMax)
    .map((entry) => [`${folder}${entry.name}${entry.isDirectory() ? '/' : ''}`, '']);
}

/** The words that can stand at the end of `line`, a line each: the word, a tab, its help. */
export async function completeWords(
  session: { complete(line: string, cursor: number): Promise<LineCompletion> },
  line: string,
): Promise<string[]> {
  // Options of the program are no part of a line.
  const typed = line.trimStart().replace(programOptionsBefore, '');
  const { words, isLine } = ownWords(typed);
  const { candidates } = isLine ? await session.complete(typed, typed.length) : { candidates: [] };
  const ofShell = candidates.map(({ text, help }): OfferedWord => [text, help]);
  // Some words are commands of the shell, too: those stand there once.
  const ofProgram = words.filter(([text]) => ofShell.every(([one]) => one !== text));
  return [...ofShell, ...ofProgram].map(([text, help]) => `${text}\t${help.split('\n', 1)[0]}`.trimEnd());
}
