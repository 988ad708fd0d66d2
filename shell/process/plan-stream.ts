/** The plan of `apply` as data, for a caller that wants an exit status which tells whether anything changes. */

import type { OutputSink } from '../channel/protocol.ts';
import { say, sessionStreams } from './streams.ts';

/** The exit status for a plan with changes. `git diff --exit-code` uses 1, which is an error here. */
const changedStatus = 2;

/** A sink for the data; `status` prints the plan as lines. */
export function planStream(): { readonly to: OutputSink; readonly status: () => number } {
  let text = '';
  const write: OutputSink['write'] = (piece, stream) => {
    if (stream === 'error') sessionStreams.write(piece, stream);
    else text += piece;
  };
  const status = () => {
    const { data } = JSON.parse(text) as { data: { plan: readonly string[] } };
    for (const line of data.plan) say(`${line}\n`);
    return data.plan.length > 0 ? changedStatus : 0;
  };
  return { to: { ...sessionStreams, write }, status };
}
