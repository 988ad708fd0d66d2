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

/** The longest of either kind. */
export const controlShape: ChainShape = {
  headerBytes: taskManagement.length,
  responseBytes: notificationAnswer.length,
};

/** What a function is about. */
interface Management {
  readonly session: VhostSession;
  readonly lun: number;
  /** The request in flight that is meant by the identifier, if there is one. */
  readonly task: ChainRequest | undefined;
  /** Whether any request of the nexus is in flight at the LUN. */
  readonly hasTasks: boolean;
}

type TaskFunction = (management: Management) => number | Promise<number>;

/** A function that ends tasks. */
const atLun =
  (act: (management: Management) => Promise<unknown>): TaskFunction =>
  async (management) => {
    if (!management.session.units.view(management.lun)) return responses.incorrectLun;
    await act(management);
    return responses.ok;
  };

/** A function that asks: whether it is so. */
const whether =
  (found: (management: Management) => boolean): TaskFunction =>
  (management) =>
    !management.session.units.view(management.lun)
      ? responses.incorrectLun
      : found(management)
        ? responses.functionSucceeded
        : responses.ok;

/** All others are rejected: there is no ACA to clear. */
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

/** Where a control request finds what it is about. */
export interface Requests {
  sessionOf(target: number): VhostSession | undefined;
  /** All that are in flight in the queues for commands. */
  inFlight(): Iterable<ChainRequest>;
  /** Resolves when what was aborted of a session is answered, and nothing of it goes to the guest's memory any more. */
  aborted(session: VhostSession): Promise<void>;
}

/** Carries a request out. @returns what it is answered with, undefined when it is none that could be */
export async function carryOutControl(request: ChainRequest, requests: Requests): Promise<Uint8Array | undefined> {
  const { header, headerLength } = request;
  const { fields } = taskManagement;
  const type = headerLength < 4 ? -1 : fields.type.get(header, 0);
  // There are no asynchronous events of media here: none is subscribed to.
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
  // Only what it names ends by it; nothing else of the nexus is taken for aborted by its initiator.
  for (const one of own) one.abortedByInitiator = true;
  const code = await act({ session, lun, task, hasTasks: atThis.length > 0 });
  await requests.aborted(session);
  for (const one of own) one.abortedByInitiator = false;
  return Uint8Array.of(code);
}

/** The guest's identifier of a command: all 64 bits count. */
const idOf = ({ header }: ChainRequest): bigint => command.fields.id.get(header, 0);
