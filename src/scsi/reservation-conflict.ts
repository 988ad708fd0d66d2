/** Who may do what to a reserved logical unit (SPC-4 5.12.1). */

/**
 * How a command stands to a reservation that another nexus holds:
 * `allowed` always runs; `reads` runs under write exclusive types; `conflicts` never does.
 */
export type ReservationClass = 'allowed' | 'reads' | 'conflicts';
