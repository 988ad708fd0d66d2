/**
 * The states of a SCSI command on its way through the transport. A command that takes no data goes from `gathering` by
 * `running`, `ending` and `answering` to `over`; the fast path (fast-path.ts) goes all of it in one step.
 */

/** The states are numbers: each command goes through several, and a table of numbers costs next to nothing. */
export const state = {
  /** The PDU of the command comes in, with its immediate data and the unsolicited data behind it. */
  gathering: 0,
  /** The CmdSN of the command has not come up; unsolicited data is gathered meanwhile. */
  early: 1,
  /** The command's LUN is limited, and the command waits for its share; unsolicited data is gathered meanwhile. */
  limited: 2,
  /** The session has no memory for the command's data; unsolicited data is gathered meanwhile. */
  short: 3,
  /** R2Ts have asked for data that is still to come: for all of it, or for the next piece that the task wants. */
  asking: 4,
  /** The data that the task wants is there, and the device server has the task. */
  running: 5,
  /** The answer is known. Data that was announced or asked for may still be on its way, and goes nowhere. */
  ending: 6,
  /** The answer is sent as far as the output takes it. */
  answering: 7,
  /** The command is answered, or will never be. */
  over: 8,
} as const;

/** The events of a command's life. */
export const event = {
  /** Commands with earlier numbers have not come. */
  isEarly: 0,
  /** Every command with an earlier number has come. */
  turn: 1,
  /** The LUN has had all that its limits allow for now. */
  aboveLimit: 2,
  /** The limits let the command go, or it need not wait any more. */
  withinLimit: 3,
  /** There is no memory for the command's data. */
  noMemory: 4,
  /** There is memory for the command's data. */
  memory: 5,
  /** Data is missing, and nobody has asked for it. */
  dataMissing: 6,
  /** All data that the task wants has come. */
  dataComplete: 7,
  /** The device server has refused the command or carried it out, or its data was wrong. */
  outcome: 8,
  /** No data is on its way to the command any more. */
  nothingOwed: 9,
  /** The command's status is written, or it was dropped without one. */
  end: 10,
} as const;

type StateName = keyof typeof state;
type EventName = keyof typeof event;
/** A state. */
export type CommandState = (typeof state)[StateName];
/** An event. */
export type CommandEvent = (typeof event)[EventName];

/** The table of states and events. A missing entry is an event that cannot come in that state. */
export const commandTransitions: Readonly<Record<StateName, Partial<Record<EventName, StateName>>>> = {
  gathering: {
    isEarly: 'early',
    aboveLimit: 'limited',
    noMemory: 'short',
    dataMissing: 'asking',
    dataComplete: 'running',
    outcome: 'ending',
    end: 'over',
  },
  early: { turn: 'gathering', end: 'over' },
  limited: { withinLimit: 'gathering', end: 'over' },
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
