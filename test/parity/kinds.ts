/**
 * The kinds of difference between targetcli's recorded answers and ours. Each has a rule that recognises it, and a
 * section of its name in docs/differences.md that says why. What no rule recognises counts against parity.
 */

import { masked } from './masked.ts';
import type { RecordedStep } from './recording.ts';
import type { RecordedLine } from './replay.ts';

/** A line that only one side showed. */
export interface LineDifference {
  readonly side: 'recorded' | 'ours';
  readonly text: string;
  readonly hint: boolean;
  /** A sentence of help, or of the description of a setting. */
  readonly prose: boolean;
  /** The line before it on its side, '' at the start. */
  readonly before: string;
  readonly step: RecordedStep;
  /** All lines of both sides. */
  readonly recorded: readonly string[];
  readonly ours: readonly RecordedLine[];
}

export interface Kind {
  readonly name: string;
  /** Set for a difference of the machine that was recorded, and not of targetcli: left out of the share. */
  readonly machine?: true;
  is(difference: LineDifference): boolean;
}

const typed = ({ step }: LineDifference, pattern: RegExp): boolean => pattern.test(step.text);
const isDashes = (text: string): boolean => /^-+$/.test(text);
const isError = (text: string): boolean => /^(?:E\| |Error: )/.test(text);
/** Without what marks an error in a recording. */
const plain = (text: string): string => text.replace(/^(?:E\| |Error: |Info: |Warning: )/, '');
const oursOf = ({ ours }: LineDifference): readonly string[] => ours.map(({ text }) => text);
/** The lines of the other side. */
const counterpart = (it: LineDifference): readonly string[] => (it.side === 'recorded' ? oursOf(it) : it.recorded);
const hasOurs = (it: LineDifference, pattern: RegExp): boolean => it.ours.some(({ text }) => pattern.test(text));
const hasRecorded = (it: LineDifference, pattern: RegExp): boolean => it.recorded.some((line) => pattern.test(line));
/** A whole answer is of a kind: the error line or the answer in its place, and the exit status. */
const answer = (it: LineDifference, recorded: RegExp): boolean =>
  it.recorded.some((line) => recorded.test(plain(line)) && !it.ours.some(({ text }) => text === line));

/** Two lines that differ in nothing but what `what` matches. */
const sameBut = (what: RegExp, a: string, b: string): boolean =>
  a !== b && what.test(a) && what.test(b) && a.replace(what, '') === b.replace(what, '');
/** A line of a tree without the lines that lead to it. */
const unrailed = (line: string): string => line.replace(/^[| ]+(?=[o+]- )/, (rails) => ' '.repeat(rails.length));

const isHelp = (it: LineDifference): boolean => typed(it, /(?:^|\s)help(?:\s|$)/);
const listsGroup = (it: LineDifference): boolean => typed(it, /(?:^|\s)[gs]et \w+$/);
/** The setting of a list that a line is part of: its own name, or the nearest above it. */
function settingOf(it: LineDifference): string | undefined {
  const lines = it.side === 'recorded' ? it.recorded : oursOf(it);
  const here = lines.findIndex((line, at) => line === it.text && (lines[at - 1] ?? '') === it.before);
  const nearest = lines.slice(0, here + 1).findLast((line) => /^\w+=/.test(line));
  return nearest && /^\w+/.exec(nearest)![0];
}
const isSetting = (it: LineDifference, names: RegExp): boolean =>
  listsGroup(it) && (/^\w+=/.test(it.text) || isDashes(it.text)) && names.test(settingOf(it) ?? '');

/** A line that shows a secret; the dashes below it are as long. */
const ofSecret =
  /^(?:Info: )?(?:Parameter (?:mutual_)?password is now '|(?:chap_)?(?:mutual_)?password(?:=|: ))(?!'?\.?$)/;

export const kinds: readonly Kind[] = [
  { name: 'secrets', is: (it) => ofSecret.test(isDashes(it.text) ? it.before : it.text) },
  { name: 'hints', is: ({ hint }) => hint },
  { name: 'first-run-warning', is: ({ text }) => text.startsWith('Warning: Could not load preferences file') },
  {
    name: 'more-commands',
    is: (it) =>
      isHelp(it) && (it.side === 'ours' ? /^(?: {2}- \w+|restoreconfig) / : /^(?: {2}- )?restoreconfig /).test(it.text),
  },
  {
    name: 'help-sections',
    is: (it) =>
      isHelp(it) &&
      !it.prose &&
      (it.side === 'ours' || /^delete mystorage$/.test(isDashes(it.text) ? it.before : it.text)),
  },
  { name: 'help-texts', is: (it) => isHelp(it) && (it.prose || it.text === 'ls cd') },
  {
    name: 'more-settings',
    is: (it) =>
      (listsGroup(it) && it.side === 'ours' && !hasRecorded(it, new RegExp(`^${settingOf(it) ?? '\\w+'}=`))) ||
      (typed(it, /\/mapped_lun\d+ get$/) && /^global(?: attribute)?\b/.test(it.text)),
  },
  { name: 'deeper-window', is: (it) => isSetting(it, /^default_cmdsn_depth$/) },
  // Settings without a description have an empty line.
  { name: 'descriptions', is: (it) => listsGroup(it) && (it.prose || it.text === '') },
  {
    name: 'typed-settings',
    is: (it) => typed(it, /(?:^|\s)set \w+$/) && /^(?:\w+=(?:string|number)|-+)$/.test(it.text),
  },
  { name: 'log-file', is: (it) => isSetting(it, /^(?:logfile|loglevel_file)$/) },
  { name: 'usage', is: (it) => it.step.kind === 'words' && typed(it, /^(?:-h|--help|help)$/) },
  { name: 'program-version', is: ({ text }) => /\bversion \d+\.\d+\.\d+$|^Copyright 2011/.test(text) },
  { name: 'debug-messages', is: ({ text }) => /^(?:Running command line '|\S+\/configshell_fb\/\S+:\d+ )/.test(text) },
  { name: 'hardware-fabrics', is: (it) => /xen[-_](?:pvscsi|scsiback)/.test(it.text) || typed(it, /xen-pvscsi/) },
  { name: 'python-errors', is: (it) => answer(it, pythonError) },
  {
    name: 'kernel-names',
    is: ({ text }) => /^(?:Info: )?(?:ConfigFS path|Corresponding kernel module|Fabric module features): /.test(text),
  },
  { name: 'kernel-refusals', is: (it) => isError(it.text) && answer(it, /^Could not create \w+ in configFS$/) },
  {
    name: 'missing-restore-file',
    is: (it) => typed(it, /^restoreconfig/) && hasRecorded(it, /Restore file \S+ not found$/),
  },
  { name: 'json-errors', is: (it) => typed(it, /restoreconfig/) && /\(char \d+\)|is not valid JSON/.test(it.text) },
  { name: 'dropped-text', is: (it) => hasOurs(it, /Syntax error near/) },
  { name: 'quotes', is: (it) => typed(it, /["']/) },
  {
    name: 'device-caches',
    is: (it) =>
      counterpart(it).some((line) =>
        sameBut(/\.* \[\/dev\/\S+ \(.*\) (?:ro )?write-(?:back|thru) \w+\]$/, line, it.text),
      ),
  },
  {
    name: 'device-settings',
    machine: true,
    is: (it) =>
      typed(it, /\/backstores\/block\/\S+ get attribute/) && isSetting(it, /^(?:emulate_write_cache|is_nonrot)$/),
  },
  {
    name: 'machine',
    machine: true,
    is: (it) => typed(it, /\/dev\/$|\/dev\/(?:vda|sda|sg0)\b| 1T$|create p3 0:0:0:0$/),
  },
  {
    name: 'scsi-settings',
    machine: true,
    is: (it) => typed(it, /pscsi\/p1 get attribute$/) && isSetting(it, /^hw_\w+$/),
  },
  { name: 'own-reservations', is: (it) => typed(it, /pscsi/) && isSetting(it, /^pgr_support$/) },
  { name: 'more-backstores', is: ({ text }) => /user:\w+/.test(text) },
  { name: 'demo-sessions', is: (it) => typed(it, /^sessions/) && hasRecorded(it, /^\(no open sessions\)$/) },
  {
    name: 'authenticated',
    is: (it) => counterpart(it).some((line) => sameBut(/ \((?:NOT AUTHENTICATED|authenticated)\)$/, line, it.text)),
  },
  {
    name: 'unsaved-changes',
    is: (it) =>
      typed(it, /^(?:status|.*\bls\b.*)$/) && it.side === 'ours' && hasOurs(it, /^(?:Info: )?Changes that are stored/),
  },
  {
    name: 'more-parameters',
    is: ({ text }) =>
      /^\W*(?:restoreconfig|sessions \[action\]|delete wwn) (?:\[\w+\] )*$/.test(text) ||
      /^savefile=\S+ clear_existing=\w+ /.test(text),
  },
  { name: 'one-serial', is: (it) => typed(it, /create f6b /) || /^[| ]+o- f6b \./.test(it.text) },
  { name: 'words-of-the-unix-shell', is: (it) => typed(it, /create aéb /) || /^[| ]+o- aéb \./.test(it.text) },
  { name: 'made-serials', is: ({ text }) => text.includes('the saved file has no wwn; it is served with ') },
  { name: 'relative-paths', is: ({ text }) => /\[(?:\/root\/)?relative\.img /.test(text) },
  { name: 'made-folders', is: ({ text }) => /^The folder \S+ was not there; it was made\.$/.test(text) },
  { name: 'sockets', is: ({ text }) => text.startsWith('Its socket is ') },
  {
    name: 'local-addresses',
    is: (it) =>
      / nbd\+unix:\S+/.test(it.text) ||
      oursOf(it).some(
        (line) => line.includes(' nbd+unix:') && line.replace(localAddress, '') === it.text.replace(localAddress, ''),
      ),
  },
  {
    name: 'space-of-ramdisks',
    is: (it) => typed(it, /\/backstores\/ramdisk\//) && isSetting(it, /^(?:max_unmap|max_write_same|unmap_gran)/),
  },
  { name: 'iser', is: (it) => typed(it, /enable_iser true$/) },
  { name: 'ipv6-brackets', is: (it) => typed(it, /portals delete \[::1\]/) },
  { name: 'shared-ports', is: (it) => hasOurs(it, /would take each other/) || typed(it, /example:two\/tpg1\/portals/) },
  { name: 'unknown-refusal', is: (it) => typed(it, /portals create 127\.0\.0\.1 3266$/) },
  { name: 'shared-files', is: (it) => typed(it, /luns create \/srv\/f1\.img$/) },
  {
    name: 'order-of-checks',
    is: (it) =>
      isError(it.text) &&
      it.recorded.some(isError) &&
      hasOurs(it, /^(?:E\| |Error: )/) &&
      /exists$|already exists|is not a LUN/.test(it.text),
  },
  { name: 'write-protect', is: (it) => counterpart(it).some((line) => sameBut(/\((?:rw|ro)\)\]$/, line, it.text)) },
  { name: 'newer-limits', is: (it) => typed(it, /create 99999 0$/) && /Mapped LUN must be 0 to \d+$/.test(it.text) },
  { name: 'missing-media', is: (it) => typed(it, /^restoreconfig/) && hasOurs(it, /Could not open/) },
  { name: 'false-is-false', is: (it) => typed(it, /restoreconfig \S+ (?:clear_existing=)?false\b/) },
  {
    name: 'order-of-files',
    is: (it) =>
      typed(it, /^restoreconfig/) &&
      /exist not restoring$|not defined or invalid|unknown key|Cannot find attribute: nosuch|recoverable errors/.test(
        it.text,
      ),
  },
  {
    name: 'kept',
    is: (it) =>
      /kept and not served/.test(it.text) || (hasOurs(it, /kept and not served/) && /example:t1 /.test(it.text)),
  },
  { name: 'broken-ls', is: (it) => answer(it, /^This MappedLUN does not exist in configFS$/) },
  { name: 'tree-picker', is: (it) => typed(it, /^cd$/) },
  {
    name: 'broken-candidates',
    is: ({ step, side, text }) => step.kind === 'tab' && side === 'recorded' && /^@last$|\/\*$/.test(text),
  },
  { name: 'more-candidates', is: ({ step, side }) => step.kind === 'tab' && side === 'ours' },
  {
    name: 'rails',
    is: (it) =>
      /[o+]- /.test(it.text) && counterpart(it).some((line) => unrailed(masked(line)) === unrailed(masked(it.text))),
  },
  { name: 'order', is: (it) => counterpart(it).includes(it.text) },
];

const pythonError =
  /object has no attribute|is not defined$|unexpected keyword argument|object is not iterable|modprobe: ERROR|invalid literal/;
/** The dots of a line of a tree, and the address at its end. */
const localAddress = / \.* |(?: nbd\+unix:\S+)?\]$/g;
