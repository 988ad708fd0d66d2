/** What `apply` says as data, for who asks for an exit status that tells whether anything changes. */

import type { OutputSink } from '../channel/protocol.ts';
import { say, sessionStreams } from './streams.ts';

/** As `git diff --exit-code` has 1, which is an error here. */
const changedStatus = 2;

/** Where the data goes; `status` prints the plan as lines. */
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
