/** `doctor`: present and coming faults, each with the line to type that mends it. */

import { type DoctorFinding, doctorChecks, examineHost, type Host, printableLine } from '../../src/index.ts';
import { commandOf } from '../session/node.ts';
import { wrapText } from '../session/wrap.ts';

export const doctor = commandOf<Host>()({
  doc: 'Looks for what is wrong with the configuration, or will be one day, and says the line that mends it.',
  details: [
    `It looks at: ${doctorChecks.join(', ')}.`,
    'A problem does harm or will; advice may be meant as it is. The exit status is 1 when there is a problem.',
  ],
  seeAlso: ['status', 'why', 'list'],
  parameters: [],
  examples: [{ line: 'doctor', does: 'Every finding, with the line that mends it.' }],
  async run(host, { print, fail, terminal }) {
    const findings = await examineHost(host);
    if (findings.some(isProblem)) fail();
    if (findings.length === 0) return print('Nothing was found.');
    const of = (level: DoctorFinding['level']) => findings.filter((one) => one.level === level);
    print([...of('problem'), ...of('advice')].flatMap((one) => shown(one, terminal.columns)).join('\n'));
    const [harm, other] = [of('problem').length, of('advice').length];
    print(`\n${harm} ${harm === 1 ? 'problem' : 'problems'}, ${other} of advice.`);
  },
  async json(host, { fail }) {
    const findings = await examineHost(host);
    if (findings.some(isProblem)) fail();
    return findings;
  },
});

/** The room for the level. */
const indent = ' '.repeat(9);

const isProblem = ({ level }: DoctorFinding): boolean => level === 'problem';

/** A finding in lines: broken between words, and the line to type in one piece. */
const shown = ({ check, level, says, mend }: DoctorFinding, columns: number): string[] => {
  const text = wrapText(printableLine(`${check}: ${says}`), Math.max(20, columns - 1 - indent.length)).split('\n');
  return [
    ...text.map((line, at) => (at === 0 ? level.padEnd(indent.length) : indent) + line),
    ...(mend === '' ? [] : [printableLine(`${indent}To change it: ${mend}`)]),
  ];
};
