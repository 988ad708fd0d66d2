/** Text requests of full feature phase (RFC 7143 11.10, 11.11, 6.4): a key=value text each way, in pieces where need be. */

import { type Pair, parseText, printText } from '../wire/text.ts';
import type { Connection } from './connection.ts';
import { sendTargets } from './discovery.ts';
import { textBytesMax, textPairsMax } from './limits.ts';
import { Negotiation } from './negotiation.ts';
import { decode, noTag, textRequest, textResponse } from './pdu.ts';
import { rejectReason } from './protocol-error.ts';

const nothing: Uint8Array = new Uint8Array();

export class TextExchange {
  /** Of the exchange that is going on; noTag: none is. */
  #tag = noTag;
  #transferTag = noTag;
  #lastTransferTag = 0;
  #received: Uint8Array = nothing;
  /** What is still to be sent of our answer; undefined until the request is complete. */
  #answer: Uint8Array | undefined;

  /** Takes one request with its text. */
  receive(connection: Connection, header: Uint8Array, text: Uint8Array): void {
    const request = decode(textRequest, header);
    const goesOn = request.targetTransferTag !== noTag;
    if (!goesOn) this.#reset(request.initiatorTaskTag);
    const isOurs =
      request.initiatorTaskTag === this.#tag && (!goesOn || request.targetTransferTag === this.#transferTag);
    if (!isOurs || (request.final && request.continue) || !this.#take(connection, request, text)) {
      this.#reset(noTag);
      connection.reject(rejectReason.protocolError, header, 0);
      return;
    }
    const size = Math.min(connection.parameters.MaxRecvDataSegmentLength, textBytesMax);
    const piece = this.#answer?.subarray(0, size) ?? nothing;
    this.#answer = this.#answer?.subarray(size);
    const more = (this.#answer?.length ?? 0) > 0;
    this.#send(connection, request.lun, piece, more, !more && request.final);
  }

  /** Gathers text; when it is complete, makes the answer. @returns false when it is no text that we take */
  #take(connection: Connection, request: { continue: boolean }, text: Uint8Array): boolean {
    if (this.#answer) return text.length === 0;
    if (this.#received.length + text.length > textBytesMax) return false;
    this.#received = Buffer.concat([this.#received, text]);
    if (request.continue) return true;
    const pairs = parseText(this.#received, textPairsMax);
    const answers = typeof pairs === 'string' ? undefined : this.#answerPairs(connection, pairs);
    if (answers) this.#answer = printText(answers);
    return answers !== undefined;
  }

  #reset(tag: number): void {
    this.#tag = tag;
    this.#transferTag = noTag;
    this.#received = nothing;
    this.#answer = undefined;
  }

  #answerPairs(connection: Connection, pairs: readonly Pair[]): Pair[] | undefined {
    const { host, session } = connection;
    const negotiation = new Negotiation(
      connection.parameters,
      {
        discovery: session!.type === 'Discovery',
        leading: false,
        parameter: (name) => session!.tpg?.parameter(name) ?? '',
      },
      true,
    );
    const asked = pairs.filter(([name]) => name === 'SendTargets');
    const answers = negotiation.answer(pairs.filter(([name]) => name !== 'SendTargets'));
    if (!Array.isArray(answers) || asked.length > 1) return undefined;
    for (const [name, value] of asked) {
      const targets = sendTargets(host.state, connection.asker(), value, session!.tpg?.target);
      answers.push(...(targets ?? [[name, 'Reject'] as const]));
    }
    return answers;
  }

  #send(connection: Connection, lun: Uint8Array, piece: Uint8Array, more: boolean, final: boolean): void {
    this.#lastTransferTag = (this.#lastTransferTag + 1) % noTag;
    this.#transferTag = final ? noTag : this.#lastTransferTag;
    connection.send(
      textResponse,
      { final, continue: more, lun, initiatorTaskTag: this.#tag, targetTransferTag: this.#transferTag },
      piece,
    );
    if (final) this.#reset(noTag);
  }
}
