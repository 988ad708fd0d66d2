/** The effect of leaving a shell on the disks that are served: a person is asked, and never surprised. */

import type { Host, ServingProcess } from '../../src/index.ts';
import type { OutputSink } from '../channel/protocol.ts';
import { wrapText } from './wrap.ts';

/** The fate of the process, and of the shell. */
export type Leaving = 'leave' | 'stop' | 'stay';

const choices = {
  keep: 'go on serving, in the background; later: tcli daemon stop',
  stop: 'stop serving',
  stay: 'stay in this shell',
} as const;

/** Asks where the last shell goes, and its process serves something. Without an answer it is `stay`. */
export async function askHowToLeave(
  host: Host,
  serving: ServingProcess,
  { ask, write }: OutputSink,
  columns: number,
): Promise<Leaving> {
  const fate = serving.fate();
  const targets = [...host.root.tree.targets()].length;
  if (fate === 'stays' || targets === 0 || !host.root.serving) return 'leave';
  // Other clients of a shell that serves itself lose its targets; those of a process beside the shell do not.
  if (fate === 'asked' && serving.othersOpen() > 0) return 'leave';
  const served = whatIsServed(targets, host.root.sessions().length);
  write(`${wrapText(`${served}\nServed by ${serving.describe()}.`, columns - 1)}\n`, 'output');
  const offered = Object.entries(choices).filter(([value]) => fate === 'asked' || value !== 'keep');
  const answer = await ask({
    kind: 'select',
    message: 'Leave, and',
    choices: offered.map(([value, label]) => ({ value, label })),
    initial: fate === 'asked' ? 'keep' : 'stay',
  });
  if (answer === 'keep') serving.keep();
  return answer === 'keep' ? 'leave' : answer === 'stop' ? 'stop' : 'stay';
}

function whatIsServed(targets: number, initiators: number): string {
  const served = targets === 1 ? '1 target is served' : `${targets} targets are served`;
  const who =
    initiators === 0
      ? 'no initiator is logged in'
      : initiators === 1
        ? '1 initiator is logged in'
        : `${initiators} initiators are logged in`;
  return `${served}; ${who}.`;
}
