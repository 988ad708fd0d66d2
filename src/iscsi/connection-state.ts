/** The states of a connection at the target, with RFC 7143 8.1.3's and 8.2.2's names and transition numbers. */

export type ConnectionState =
  | 'XPT_UP'
  | 'IN_LOGIN'
  | 'LOGGED_IN'
  | 'IN_LOGOUT'
  | 'LOGOUT_REQUESTED'
  | 'CLEANUP_WAIT'
  | 'FREE';

/** The events that move a connection from one state to another. */
export type ConnectionEvent =
  /** The first Login Request came. */
  | 'login request'
  /** The final Login Response with status 0 went out. */
  | 'login succeeded'
  /** A Logout Request came. */
  | 'logout request'
  /** The target asked the initiator to log out. */
  | 'logout wanted'
  /** The Logout Response went out. */
  | 'logout answered'
  /** Another connection ended this one: a login took the place of its session or CID, or a logout closed it. */
  | 'ended by another'
  /** The transport is gone, or the target dropped it, with or without a word. */
  | 'lost'
  /** The tasks of a lost connection are ended: at error recovery level 0, at once. */
  | 'cleaned up';

/** T3 (a transport connection was accepted) makes the object; a missing entry is an event that cannot come in that state. */
const transitions: Readonly<Record<ConnectionState, Partial<Record<ConnectionEvent, ConnectionState>>>> = {
  XPT_UP: { 'login request': 'IN_LOGIN' /* T4 */, lost: 'FREE' /* T6 */ },
  IN_LOGIN: { 'login succeeded': 'LOGGED_IN' /* T5 */, lost: 'FREE' /* T7 */ },
  LOGGED_IN: {
    'logout request': 'IN_LOGOUT' /* T9 */,
    'logout wanted': 'LOGOUT_REQUESTED' /* T11 */,
    lost: 'CLEANUP_WAIT' /* T15 */,
    'ended by another': 'FREE' /* T8 */,
  },
  LOGOUT_REQUESTED: {
    'logout wanted': 'LOGOUT_REQUESTED' /* T12 */,
    'logout request': 'IN_LOGOUT' /* T10 */,
    lost: 'CLEANUP_WAIT' /* T17 */,
    'ended by another': 'FREE' /* T18 */,
  },
  IN_LOGOUT: {
    'logout answered': 'FREE' /* T13 */,
    'logout wanted': 'IN_LOGOUT' /* T14 */,
    'ended by another': 'FREE' /* T13 */,
    lost: 'CLEANUP_WAIT' /* T16 */,
  },
  CLEANUP_WAIT: { 'cleaned up': 'FREE' /* M1 */ },
  FREE: {},
};

/** The state after `event`; an event that has no place in `state` changes nothing. */
export const nextState = (state: ConnectionState, event: ConnectionEvent): ConnectionState =>
  transitions[state][event] ?? state;
