/** The requests of tgtd's management socket, by mode and operation. */

import { setTimeout as sleep } from 'node:timers/promises';
import { OperatorError } from '../errors.ts';
import type { Log } from '../log.ts';
import { runningMs } from '../system/running-time.ts';
import { accountRequests } from './account-requests.ts';
import { type Desk, fabricName, sessionsOf, stateOf } from './change.ts';
import { portalRequests } from './portal-requests.ts';
import { type Mode, Refusal, type Request, readRequest, refusals, writeAnswer } from './protocol.ts';
import { showConnections, showDrivers, showSystem } from './show.ts';
import { statisticsOf } from './statistics.ts';
import { targetRequests } from './target-requests.ts';
import { unitRequests } from './unit-requests.ts';

/** The time that the end of a session is waited for, and the interval of looking. */
const goneMs = 10_000;
const goneStepMs = 50;

/** Carries out a request. @returns the text that tgtadm prints; undefined: none @throws Refusal, OperatorError */
type Handler = (desk: Desk, request: Request) => Promise<string | undefined>;

const systemRequests: Readonly<Record<string, Handler>> = {
  async show({ system }) {
    return showSystem(system);
  },
  async update({ system }, { text }) {
    const [, name = '', value = ''] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
    if (name === 'State' && (value === 'ready' || value === 'offline')) system.online = value === 'ready';
    else if (name === 'debug' && (value === 'on' || value === 'off')) system.debug = value === 'on';
    else throw new Refusal(name.startsWith('iSNS') ? 'unsupported' : 'invalid');
    return undefined;
  },
  async stat(desk) {
    return statisticsOf(desk, desk.numbers.list(stateOf(desk)));
  },
  async delete(desk) {
    if (desk.numbers.list(stateOf(desk)).length > 0) throw new Refusal('invalid', 'there are targets');
    desk.stop();
    return undefined;
  },
};

const sessionRequests: Readonly<Record<string, Handler>> = {
  async stat(desk, { tid, sid }) {
    return statisticsOf(desk, [await targetOf(desk, tid, sid)], { sid });
  },
};

const connectionRequests: Readonly<Record<string, Handler>> = {
  async show(desk, { tid }) {
    return showConnections(await sessionsOf(desk, desk.numbers.find(stateOf(desk), tid).tpg));
  },
  async stat(desk, { tid, sid }) {
    return statisticsOf(desk, [await targetOf(desk, tid, sid)], { sid });
  },
  async delete(desk, { tid, sid, cid }) {
    const { tpg } = await targetOf(desk, tid, sid);
    const session = (await sessionsOf(desk, tpg)).find(({ id }) => id === sid);
    if (!session?.connections.some((one) => one.cid === cid)) throw new Refusal('noConnection');
    await desk.host.root.endSession(fabricName, sid);
    // tgtd ends a session at once; an initiator that is asked to log out may take its time.
    const isThere = async () => (await sessionsOf(desk, tpg)).some(({ id }) => id === sid);
    for (const late = runningMs() + goneMs; runningMs() < late && (await isThere()); ) await sleep(goneStepMs);
    return undefined;
  },
};

/** The target of a request, whose session exists. @throws Refusal otherwise */
async function targetOf(desk: Desk, tid: number, sid: number) {
  const found = desk.numbers.list(stateOf(desk)).find((one) => one.tid === tid);
  const sessions = found ? await sessionsOf(desk, found.tpg) : [];
  if (!found || !sessions.some(({ id }) => id === sid)) throw new Refusal('noSession');
  return found;
}

const driverRequests: Readonly<Record<string, Handler>> = {
  async show(desk) {
    return showDrivers(desk.numbers.list(stateOf(desk)));
  },
  async start(_desk, { lld }) {
    if (lld === 'iser') throw new Refusal('unknown', 'there is no RDMA here');
    return undefined;
  },
  async stop(desk, { lld }) {
    if (lld === 'iser') return undefined;
    throw new Refusal(desk.numbers.list(stateOf(desk)).length > 0 ? 'driverActive' : 'unsupported');
  },
};

const requests: Readonly<Record<Mode, Readonly<Record<string, Handler>>>> = {
  system: systemRequests,
  target: targetRequests,
  unit: unitRequests,
  portal: portalRequests,
  lld: driverRequests,
  session: sessionRequests,
  connection: connectionRequests,
  account: accountRequests,
};

/** Carries a request out. @returns the whole answer */
export async function answerTo(desk: Desk, bytes: Buffer, log: Log): Promise<Buffer> {
  const request = readRequest(bytes);
  const { mode, op, lld } = request;
  try {
    if (!['', 'iscsi', ...(mode === 'lld' ? ['iser'] : [])].includes(lld)) throw new Refusal('noDriver');
    const handler = mode && op && Object.hasOwn(requests[mode], op) ? requests[mode][op] : undefined;
    if (!handler) throw new Refusal('invalid');
    return writeAnswer(0, await handler(desk, request));
  } catch (error) {
    if (!(error instanceof Refusal || error instanceof OperatorError)) throw error;
    const reason = error instanceof OperatorError && error.hint ? `${error.message} (${error.hint})` : error.message;
    log({ level: 'info', event: 'tgtadm request refused', detail: { mode: mode ?? '', op: op ?? '', reason } });
    return writeAnswer(error instanceof Refusal ? error.number : refusals.invalid[0], undefined);
  }
}
