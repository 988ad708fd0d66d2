/**
 * The states of a SCSI command on its way through the transport. A command that takes no data goes from `gathering` by
 * `running`, `ending` and `answering` to `over`; the fast path (fast-path.ts) goes all of it in one step.
 */

export type CommandState =
  /** Its PDU comes in, and what data comes with it and behind it without being asked for. */
  | 'gathering'
  /** Its CmdSN has not come up; what comes unsolicited is gathered meanwhile. */
  | 'waiting for its turn'
  /** Its session has no memory for its data; what comes unsolicited is gathered meanwhile. */
  | 'waiting for memory'
  /** R2Ts have asked for data that is still to come: for all of it, or for the next piece that its task wants. */
  | 'asking'
  /** The data that its task wants is there, and the device server has it. */
  | 'running'
  /** Its answer is known. Data that was announced or asked for may still be on its way, and goes nowhere. */
  | 'ending'
  /** Its answer is sent as far as the output takes it. */
  | 'answering'
  /** It is answered, or will never be. */
  | 'over';

export type CommandEvent =
  /** Commands that are numbered before it have not come. */
  | 'is early'
  /** They have. */
  | 'turn'
  /** There is no memory for its data. */
  | 'no memory'
  /** There is. */
  | 'memory'
  /** Data is missing that nobody has asked for. */
  | 'data missing'
  /** Nothing is missing of what its task wants. */
  | 'data complete'
  /** The device server has refused it or carried it out, or its data was wrong. */
  | 'outcome'
  /** Nothing is on its way to it any more. */
  | 'nothing owed'
  /** Its status is written, or it was dropped without one. */
  | 'end';

/** A missing entry is an event that cannot come in that state. */
export const commandTransitions: Readonly<Record<CommandState, Partial<Record<CommandEvent, CommandState>>>> = {
  gathering: {
    'is early': 'waiting for its turn',
    'no memory': 'waiting for memory',
    'data missing': 'asking',
    'data complete': 'running',
    outcome: 'ending',
    end: 'over',
  },
  'waiting for its turn': { turn: 'gathering', end: 'over' },
  'waiting for memory': { memory: 'gathering', end: 'over' },
  asking: { 'data missing': 'asking', 'data complete': 'running', outcome: 'ending', end: 'over' },
  running: { 'data missing': 'asking', outcome: 'ending', end: 'over' },
  ending: { 'nothing owed': 'answering', end: 'over' },
  answering: { end: 'over' },
  over: {},
};

/** The state after an event. @throws Error for an event that cannot come: a bug of ours, which ends the connection */
export function stateAfter(state: CommandState, event: CommandEvent): CommandState {
  const next = commandTransitions[state][event];
  if (!next) throw new Error(`'${event}' came to a command that is ${state}`);
  return next;
}
