/** Sends whole PDUs with the target's numbers in them: StatSN of the connection, the command window of its session (RFC 7143 4.2.2). */

import type { Fields, Values } from '../wire/layout.ts';
import { encodeInto } from '../wire/layout.ts';
import { advanceSerial, distance } from '../wire/serial.ts';
import type { Output } from './output.ts';
import { numbers, type Pdu } from './pdu.ts';
import { PduWriter } from './pdu-writer.ts';

/** The command window of a session (RFC 7143 4.2.2.1), as its answers show it. */
export interface Window {
  /** CmdSN of the next command. */
  readonly expCmdSn: number;
  /** CmdSN of the last command that there is room for. */
  readonly maxCmdSn: number;
  /** MaxCmdSN as the initiator was last told. */
  shownMaxCmdSn: number;
}

const nothing: Uint8Array = new Uint8Array();

/** Sends the PDUs of one connection. */
export class Sender {
  readonly writer: PduWriter;
  /** The session's window; there is none before the end of login. */
  window: Window | undefined;
  /** StatSN of the next answer. */
  #statSn = 0;
  /** The initiator's ExpStatSN, as it was heard last. */
  #expStatSn = 0;
  #undelivered: { readonly statSn: number; readonly resolve: () => void }[] = [];

  constructor(output: Output) {
    this.writer = new PduWriter(output);
  }

  /** Sets the first StatSN. RFC 7143 11.13.4: any number will do to begin with. */
  startAt(statSn: number): void {
    this.#statSn = statSn;
  }

  /** Puts the numbers into an answer whose header is at `start`. @param counts whether the PDU uses up a StatSN */
  stamp(bytes: Uint8Array, start: number, counts: boolean): void {
    numbers.statSn.set(bytes, start, this.#statSn);
    if (counts) this.#statSn = advanceSerial(this.#statSn);
    const { window } = this;
    if (!window) return;
    window.shownMaxCmdSn = window.maxCmdSn;
    numbers.expCmdSn.set(bytes, start, window.expCmdSn);
    numbers.maxCmdSn.set(bytes, start, window.maxCmdSn);
  }

  /** Sends a PDU that carries a StatSN. @param cmdSn the value of ExpCmdSN while there is no session */
  send<F extends Fields>(pdu: Pdu<F>, values: Partial<Values<Pdu<F>['fields']>>, data = nothing, cmdSn = 0): void {
    const at = this.#begin(pdu, values, data);
    if (!this.window) {
      numbers.expCmdSn.set(this.writer.bytes, at, cmdSn);
      numbers.maxCmdSn.set(this.writer.bytes, at, cmdSn);
    }
    this.stamp(this.writer.bytes, at, true);
    this.writer.end();
  }

  /** Sends a PDU that shows the next StatSN and does not use it up. */
  notify<F extends Fields>(pdu: Pdu<F>, values: Partial<Values<Pdu<F>['fields']>>): void {
    const at = this.#begin(pdu, values, nothing);
    this.stamp(this.writer.bytes, at, false);
    this.writer.end();
  }

  #begin<F extends Fields>(pdu: Pdu<F>, values: Partial<Values<Pdu<F>['fields']>>, data: Uint8Array): number {
    const at = this.writer.begin(pdu.blank, data.length);
    encodeInto<Fields>(pdu, this.writer.bytes, at, values as Partial<Values<Fields>>);
    this.writer.bytes.set(data, this.writer.dataStart);
    return at;
  }

  /** Notes that the initiator has every answer before `expStatSn`. */
  acknowledge(expStatSn: number): void {
    this.#expStatSn = expStatSn;
    this.#undelivered = this.#undelivered.filter(({ statSn, resolve }) => {
      const isMissing = distance(expStatSn, statSn) > 0;
      if (!isMissing) resolve();
      return isMissing;
    });
  }

  /** Resolves when the initiator has all answers so far, or never will; undefined when it has them. */
  get delivered(): Promise<void> | undefined {
    if (distance(this.#expStatSn, this.#statSn) <= 0) return undefined;
    return new Promise((resolve) => {
      this.#undelivered.push({ statSn: this.#statSn, resolve });
    });
  }

  /** Ends the waits of `delivered`, because the connection has ended and nothing will be acknowledged. */
  end(): void {
    for (const { resolve } of this.#undelivered.splice(0)) resolve();
  }
}
