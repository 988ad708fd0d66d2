/**
 * The states of a SCSI command on its way through the transport. A command that takes no data goes from `gathering` by
 * `running`, `ending` and `answering` to `over`; the fast path (fast-path.ts) goes all of it in one step.
 */

/** Numbers: each command goes through several, and a table of numbers costs next to nothing. */
export const state = {
  /** Its PDU comes in, and what data comes with it and behind it without being asked for. */
  gathering: 0,
  /** Its CmdSN has not come up; what comes unsolicited is gathered meanwhile. */
  early: 1,
  /** Its session has no memory for its data; what comes unsolicited is gathered meanwhile. */
  short: 2,
  /** R2Ts have asked for data that is still to come: for all of it, or for the next piece that its task wants. */
  asking: 3,
  /** The data that its task wants is there, and the device server has it. */
  running: 4,
  /** Its answer is known. Data that was announced or asked for may still be on its way, and goes nowhere. */
  ending: 5,
  /** Its answer is sent as far as the output takes it. */
  answering: 6,
  /** The command is answered, or will never be. */
  over: 7,
} as const;

/** What can happen to a command. */
export const event = {
  /** Commands that are numbered before it have not come. */
  isEarly: 0,
  /** Every command that is numbered before it has come. */
  turn: 1,
  /** There is no memory for its data. */
  noMemory: 2,
  /** There is. */
  memory: 3,
  /** Data is missing that nobody has asked for. */
  dataMissing: 4,
  /** Nothing is missing of what its task wants. */
  dataComplete: 5,
  /** The device server has refused it or carried it out, or its data was wrong. */
  outcome: 6,
  /** Nothing is on its way to it any more. */
  nothingOwed: 7,
  /** Its status is written, or it was dropped without one. */
  end: 8,
} as const;

type StateName = keyof typeof state;
type EventName = keyof typeof event;
/** One of the states. */
export type CommandState = (typeof state)[StateName];
/** One of the events. */
export type CommandEvent = (typeof event)[EventName];

/** A missing entry is an event that cannot come in that state. */
export const commandTransitions: Readonly<Record<StateName, Partial<Record<EventName, StateName>>>> = {
  gathering: {
    isEarly: 'early',
    noMemory: 'short',
    dataMissing: 'asking',
    dataComplete: 'running',
    outcome: 'ending',
    end: 'over',
  },
  early: { turn: 'gathering', end: 'over' },
  short: { memory: 'gathering', end: 'over' },
  asking: { dataMissing: 'asking', dataComplete: 'running', outcome: 'ending', end: 'over' },
  running: { dataMissing: 'asking', outcome: 'ending', end: 'over' },
  ending: { nothingOwed: 'answering', end: 'over' },
  answering: { end: 'over' },
  over: {},
};

const eventNames = Object.keys(event) as EventName[];
const stateNames = Object.keys(state) as StateName[];
const impossible = -1;
/** The table by numbers: a row of events for each state. */
const after = Int8Array.from(
  stateNames.flatMap((from) =>
    eventNames.map((what) => {
      const to = commandTransitions[from][what];
      return to === undefined ? impossible : state[to];
    }),
  ),
);

/** The state after an event. @throws Error for an event that cannot come: a bug of ours, which ends the connection */
export function stateAfter(from: CommandState, what: CommandEvent): CommandState {
  const to = after[from * eventNames.length + what]!;
  if (to === impossible) throw new Error(`a command that is '${stateNames[from]}' had the event '${eventNames[what]}'`);
  return to as CommandState;
}
