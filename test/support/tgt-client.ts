/** Requests of tgtd's management socket, given to the process without a socket. */

import type { LogRecord } from '../../src/log.ts';
import type { Host } from '../../src/root/host.ts';
import type { Desk } from '../../src/tgt/change.ts';
import { defaultPortals } from '../../src/tgt/portal-requests.ts';
import {
  deviceTypes,
  type Mode,
  type RequestOperation,
  type RequestWords,
  readAnswer,
  writeRequest,
} from '../../src/tgt/protocol.ts';
import { answerTo } from '../../src/tgt/requests.ts';
import { TargetNumbers } from '../../src/tgt/view.ts';

type Words = Omit<RequestWords, 'mode' | 'op' | 'deviceType'> & { readonly type?: string };

export class TgtClient {
  readonly desk: Desk;
  readonly logged: LogRecord[] = [];
  stopped = false;

  constructor(host: Host) {
    this.desk = {
      host,
      numbers: new TargetNumbers(),
      portals: [...defaultPortals],
      system: { online: true, debug: false },
      by: { via: 'tgtadm' },
      stop: () => {
        this.stopped = true;
      },
    };
  }

  /** @returns the error number, or what tgtadm would print */
  async ask(mode: Mode, op: RequestOperation, words: Words = {}): Promise<number | string> {
    const { type = 'disk', ...others } = words;
    const deviceType = Number(Object.keys(deviceTypes).find((one) => deviceTypes[Number(one)] === type));
    const request = writeRequest({ mode, op, deviceType, ...others });
    const bytes = await answerTo(this.desk, request, (record) => this.logged.push(record));
    const answer = readAnswer(bytes);
    if (!answer) throw new Error('the answer is shorter than it says');
    return answer.err || answer.text;
  }
}
