/** Completion of `tcli …` in bash, zsh and fish: scripts that ask the program itself (`tcli __complete -- LINE`). */

import { OperatorError } from '../../src/client.ts';
import type { LineCompletion } from '../channel/protocol.ts';
import { daemonActions, optionsOf } from './arguments.ts';

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

/** The program's own words, and those that stand behind them. */
const programWords: Readonly<Record<string, { readonly help: string; readonly words: readonly string[] }>> = {
  completion: { help: 'A script for bash, zsh or fish.', words: Object.keys(scripts) },
  daemon: { help: 'The process that serves, in the background.', words: [...daemonActions, 'install'] },
  serve: { help: 'Restores the configuration and serves it.', words: optionsOf('SERVING') },
};

/** The words of the program that can stand at the end of `typed`: options, its own words, and those behind them. */
function ownWords(typed: string): [string, string][] {
  const [, first, word = ''] = /^(?:(\S+)\s+(?:\S+\s+)*)?(\S*)$/.exec(typed) ?? [];
  const behind = first !== undefined && Object.hasOwn(programWords, first) ? programWords[first]?.words : undefined;
  const names = word.startsWith('-') && first === undefined ? optionsOf() : Object.keys(programWords);
  return (first === undefined ? names : (behind ?? []))
    .filter((name) => name.startsWith(word))
    .map((name) => [name, (first === undefined && programWords[name]?.help) || '']);
}

/** The words that can stand at the end of `line`, a line each: the word, a tab, its help. */
export async function completeWords(
  session: { complete(line: string, cursor: number): Promise<LineCompletion> },
  line: string,
): Promise<string[]> {
  // Options of the program are no part of a line.
  const typed = line.replace(/^(?:\s*(?:--(?:home|cwd|on-error)(?:=|\s+)\S+|--json|--system|--no-daemon)\s+)*/, '');
  const own = ownWords(typed);
  const { candidates } = await session.complete(typed, typed.length);
  return [...candidates.map(({ text, help }): [string, string] => [text, help]), ...own].map(
    ([text, help]) => `${text}\t${help}`,
  );
}
