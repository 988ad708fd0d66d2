/**
 * Settings of the transport for a whole process: environment variables, which every thread has. Settings of one target, TPG or initiator
 * are its attributes or parameters.
 */

import { OperatorError } from '../errors.ts';

/** The longest time that is accepted: no initiator is worth a core for longer. */
const lingerUsMax = 10_000;
const lingerUsDefault = 100;

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The time that an event loop looks for the next command before it sleeps, in milliseconds: TCLI_LINGER_US, microseconds.
 * @throws OperatorError
 */
export function lingerMs(environment: Environment = process.env): number {
  const text = environment['TCLI_LINGER_US'] ?? String(lingerUsDefault);
  const us = /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN;
  if (!(us <= lingerUsMax))
    throw new OperatorError(
      `TCLI_LINGER_US is '${text}': it takes microseconds, 0 to ${lingerUsMax}`,
      `Unset it for ${lingerUsDefault}; 0 lets the processor sleep at once.`,
    );
  return us / 1000;
}

/**
 * The congestion control of all connections (tcp(7), TCP_CONGESTION): TCLI_CONGESTION_CONTROL. Undefined: the machine's,
 * but for connections of the machine with itself (system/congestion-control.ts).
 * @throws OperatorError
 */
export function congestionControl(environment: Environment = process.env): string | undefined {
  const name = environment['TCLI_CONGESTION_CONTROL'];
  if (name === undefined || /^[a-z][a-z0-9_-]{0,14}$/.test(name)) return name;
  throw new OperatorError(
    `TCLI_CONGESTION_CONTROL is '${name}', which cannot be the name of one`,
    'See which there are: cat /proc/sys/net/ipv4/tcp_available_congestion_control',
  );
}
