/**
 * The kinds of difference between targetcli's recorded answers and ours. Each has a rule that recognises it, and a
 * section of its name in docs/differences.md that says why. What no rule recognises counts against parity.
 */

import type { Step } from './recording.ts';
import type { Line } from './replay.ts';

/** A line that only one side showed. */
export interface Difference {
  readonly side: 'recorded' | 'ours';
  readonly text: string;
  readonly hint: boolean;
  /** The line before it on its side, '' at the start. */
  readonly before: string;
  readonly step: Step;
  /** All lines of both sides. */
  readonly recorded: readonly string[];
  readonly ours: readonly Line[];
}

export interface Kind {
  readonly name: string;
  is(difference: Difference): boolean;
}

const typed = ({ step }: Difference, pattern: RegExp): boolean => pattern.test(step.text);
const isDashes = (text: string): boolean => /^-+$/.test(text);
const isError = (text: string): boolean => /^(?:E\| |Error: )/.test(text);
/** Without what marks an error in a recording. */
const plain = (text: string): string => text.replace(/^(?:E\| |Error: |Info: |Warning: )/, '');
/** What the other side showed. */
const counterpart = ({ side, recorded, ours }: Difference): readonly string[] =>
  side === 'recorded' ? ours.map(({ text }) => text) : recorded;
/** A whole answer is of a kind: the error line or the answer in its place, and the exit status. */
const answer = (it: Difference, recorded: RegExp): boolean =>
  it.recorded.some((line) => recorded.test(plain(line)) && !it.ours.some(({ text }) => text === line));

/** Two lines that differ in nothing but what `what` matches. */
const sameBut = (what: RegExp, a: string, b: string): boolean =>
  a !== b && what.test(a) && what.test(b) && a.replace(what, '') === b.replace(what, '');
const unreset = (line: string): string => line.replaceAll('\x1b[0m', '');
/** A line of a tree, wherever in the tree it stands. */
const unplaced = (line: string): string => line.replace(/^[| ]+(?=o- )/, '').replace(/ \.+ /, ' ');
const hasOurs = (it: Difference, pattern: RegExp): boolean => it.ours.some(({ text }) => pattern.test(text));
const hasRecorded = (it: Difference, pattern: RegExp): boolean => it.recorded.some((line) => pattern.test(line));

/** `name=value` of a list, or of the line above a rule. */
const settingOf = ({ text, before }: Difference): string | undefined =>
  /^(\w+)=/.exec(isDashes(text) ? before : isDashes(before) ? '' : text)?.[1];
const listsGroup = (it: Difference): boolean => typed(it, /(?:^|\s)[gs]et \w+$/);
const settingsIn = (lines: readonly string[]): Map<string, string> =>
  new Map(lines.flatMap((line) => [...line.matchAll(/^(\w+)=(.*)$/g)].map(([, name = '', rest = '']) => [name, rest])));
/** The setting of a list that this line is part of: the nearest above it. */
function ownSetting(it: Difference): string | undefined {
  const direct = settingOf(it);
  if (direct) return direct;
  const lines = it.side === 'recorded' ? it.recorded : it.ours.map(({ text }) => text);
  const here = lines.findIndex((line, at) => line === it.text && (lines[at - 1] ?? '') === it.before);
  for (let at = here; at >= 0; at -= 1) {
    const found = /^(\w+)=/.exec(lines[at] ?? '')?.[1];
    if (found) return found;
  }
  return undefined;
}

export const kinds: readonly Kind[] = [
  { name: 'hints', is: ({ hint }) => hint },
  { name: 'first-run-warning', is: ({ text }) => text.startsWith('Warning: Could not load preferences file') },
  { name: 'help-texts', is: (it) => typed(it, /(?:^|\s)help(?:\s|$)/) && !/^ {2}- /.test(it.text) },
  { name: 'descriptions', is: (it) => listsGroup(it) && isDashes(it.before) },
  {
    name: 'more-settings',
    is: (it) => {
      const name = listsGroup(it) && it.side === 'ours' ? ownSetting(it) : undefined;
      return name !== undefined && !settingsIn(it.recorded).has(name);
    },
  },
  {
    name: 'typed-settings',
    is: (it) => typed(it, /(?:^|\s)set \w+$/) && /^(?:\w+=(?:string|number)|-+)$/.test(it.text),
  },
  {
    name: 'log-file',
    is: (it) => listsGroup(it) && /^(?:logfile|loglevel_file)=/.test(isDashes(it.text) ? it.before : it.text),
  },
  { name: 'usage', is: (it) => typed(it, /^(?:-h|--help|help)$/) },
  { name: 'program-version', is: ({ text }) => /\bversion (?:2\.1\.53|\d+\.\d+\.\d+)$/.test(text) },
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
  { name: 'device-settings', is: (it) => typed(it, /\/backstores\/block\/\S+ [gs]et attribute/) },
  { name: 'machine', is: (it) => typed(it, /\/dev\/$|\/dev\/(?:vda|sda|sg0)\b| 1T$/) },
  {
    name: 'scsi-devices',
    is: (it) =>
      /pscsi|\/dev\/sda/.test(it.text) ||
      typed(it, /pscsi/) ||
      (hasRecorded(it, /pscsi\/p1|o- p1 /) && /ALUA Groups: 0|LUNs: [01]\]/.test(it.text)),
  },
  { name: 'more-backstores', is: ({ text }) => /user:\w+/.test(text) },
  { name: 'live-sessions', is: (it) => typed(it, /\bsessions\b/) },
  { name: 'relative-paths', is: ({ text }) => /\[(?:\/root\/)?relative\.img /.test(text) },
  {
    name: 'space-of-ramdisks',
    is: (it) =>
      typed(it, /\/backstores\/ramdisk\/\S+ get attribute$/) &&
      /^(?:max_unmap|max_write_same|unmap_gran)/.test(it.text),
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
  { name: 'newer-limits', is: (it) => typed(it, /create 99999 0$/) },
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
    name: 'extra-resets',
    is: (it) => counterpart(it).some((line) => unreset(line) === unreset(it.text)),
  },
  {
    name: 'generated-names',
    is: ({ text }) =>
      /iqn\.2003-01\.org\.linux-iscsi\.[\w-]+\.x8664:sn\.[0-9a-f]{12}|naa\.5001405[0-9a-f]{9}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/.test(
        text,
      ),
  },
  {
    name: 'broken-candidates',
    is: ({ step, side, text }) => step.kind === 'tab' && side === 'recorded' && /^@last$|\/\*$/.test(text),
  },
  { name: 'more-candidates', is: ({ step, side }) => step.kind === 'tab' && side === 'ours' },
  {
    name: 'end-of-recording',
    is: ({ step, side }) =>
      side === 'recorded' && step.kind === 'line' && /^(?:exit|clearconfig confirm=True)$/.test(step.text),
  },
  { name: 'order', is: (it) => counterpart(it).some((line) => unplaced(line) === unplaced(it.text)) },
];

const pythonError =
  /object has no attribute|is not defined$|unexpected keyword argument|object is not iterable|modprobe: ERROR|invalid literal/;
