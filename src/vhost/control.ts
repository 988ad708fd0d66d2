/** The control queue: task management and asynchronous notification (VIRTIO 1.2 clause 5.6.6.2). */

import { abortTask, abortTaskSet, clearTaskSet, logicalUnitReset } from '../scsi/task-management.ts';
import { encode } from '../wire/layout.ts';
import {
  command,
  controlType,
  functions,
  notification,
  notificationAnswer,
  readAddress,
  responses,
  taskManagement,
} from '../wire/virtio-scsi.ts';
import type { ChainRequest, ChainShape } from './request.ts';
import type { VhostSession } from './session.ts';

/** The shape of chains of the control queue: the longest of either kind. */
export const controlShape: ChainShape = {
  headerBytes: taskManagement.length,
  responseBytes: notificationAnswer.length,
};

/** A task management function that was asked for. */
interface Management {
  readonly session: VhostSession;
  readonly lun: number;
  /** The request in flight that has the identifier, if there is one. */
  readonly task: ChainRequest | undefined;
  /** Whether any request of the nexus is in flight at the LUN. */
  readonly hasTasks: boolean;
}

type TaskFunction = (management: Management) => number | Promise<number>;

/** Makes a function that ends tasks. */
const atLun =
  (act: (management: Management) => Promise<unknown>): TaskFunction =>
  async (management) => {
    if (!management.session.units.view(management.lun)) return responses.incorrectLun;
    await act(management);
    return responses.ok;
  };

/** Makes a function that asks whether something is so. */
const whether =
  (found: (management: Management) => boolean): TaskFunction =>
  (management) =>
    !management.session.units.view(management.lun)
      ? responses.incorrectLun
      : found(management)
        ? responses.functionSucceeded
        : responses.ok;

/** The functions by number. All others are rejected: there is no ACA to clear. */
const taskFunctions: ReadonlyMap<number, TaskFunction> = new Map([
  [functions.abortTask, atLun(async ({ session, lun, task }) => task && abortTask(session.nexus, lun, task.task!.tag))],
  [functions.abortTaskSet, atLun(({ session, lun }) => abortTaskSet(session.nexus, lun))],
  [functions.clearTaskSet, atLun(({ session, lun }) => clearTaskSet(session.nexus, lun))],
  [functions.logicalUnitReset, atLun(({ session, lun }) => logicalUnitReset(session.nexus, lun))],
  [
    functions.nexusReset,
    async ({ session }) => {
      await session.reset();
      return responses.ok;
    },
  ],
  [functions.queryTask, whether(({ task }) => task !== undefined)],
  [functions.queryTaskSet, whether(({ hasTasks }) => hasTasks)],
]);

/** The requests in flight, as control requests need them. */
export interface Requests {
  sessionOf(target: number): VhostSession | undefined;
  /** All requests that are in flight in the queues for commands. */
  inFlight(): Iterable<ChainRequest>;
  /** Resolves when the aborted requests of a session are answered, and no more data goes to the guest's memory for them. */
  aborted(session: VhostSession): Promise<void>;
}

/** Carries a request out. @returns the answer, undefined when the request is malformed */
export async function carryOutControl(request: ChainRequest, requests: Requests): Promise<Uint8Array | undefined> {
  const { header, headerLength } = request;
  const { fields } = taskManagement;
  const type = headerLength < 4 ? -1 : fields.type.get(header, 0);
  // Media have no asynchronous events here, so none is subscribed to.
  const isNotification = type === controlType.asyncNotificationQuery || type === controlType.asyncNotificationSubscribe;
  if (isNotification && headerLength >= notification.length) return encode(notificationAnswer, {});
  if (type !== controlType.taskManagement || headerLength < taskManagement.length) return undefined;
  const { target, lun } = readAddress(header, fields.address.at);
  const session = requests.sessionOf(target);
  if (!session) return Uint8Array.of(responses.badTarget);
  const act = taskFunctions.get(fields.subtype.get(header, 0));
  if (!act) return Uint8Array.of(responses.functionRejected);
  const own = [...requests.inFlight()].filter((one) => one.session === session && one.task);
  const atThis = own.filter((one) => one.lun === lun);
  const id = fields.id.get(header, 0);
  const task = atThis.find((one) => idOf(one) === id);
  // Only tasks that the function names count as aborted by their initiator, and no others of the nexus.
  for (const one of own) one.abortedByInitiator = true;
  const code = await act({ session, lun, task, hasTasks: atThis.length > 0 });
  await requests.aborted(session);
  for (const one of own) one.abortedByInitiator = false;
  return Uint8Array.of(code);
}

/** The guest's identifier of a command: all 64 bits count. */
const idOf = ({ header }: ChainRequest): bigint => command.fields.id.get(header, 0);
