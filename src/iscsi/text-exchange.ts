/** Text requests of full feature phase (RFC 7143 11.10, 11.11, 6.4): a key=value text each way, in pieces where need be. */

import type { Portal } from '../target/target.ts';
import { type Pair, parseText, printText } from '../wire/text.ts';
import { sendTargets } from './discovery.ts';
import { textBytesMax, textPairsMax } from './limits.ts';
import type { Link } from './link.ts';
import { Negotiation } from './negotiation.ts';
import { decodePdu, noTag, textRequest, textResponse } from './pdu.ts';
import { rejectReason } from './protocol-error.ts';
import type { Session } from './session.ts';

const nothing: Uint8Array = new Uint8Array();

export class TextExchange {
  /** The task tag of the exchange that is going on; `noTag`: none is. */
  #tag = noTag;
  #transferTag = noTag;
  #lastTransferTag = 0;
  #negotiation: Negotiation | undefined;
  /** The text so far, whose end has not come. */
  #received: Uint8Array = nothing;
  /** The part of an answer that is still to be sent. */
  #answer: Uint8Array = nothing;

  /** Takes one request with its text. */
  receive(connection: Link, header: Uint8Array, text: Uint8Array): void {
    const request = decodePdu(textRequest, header);
    const goesOn = request.targetTransferTag !== noTag;
    if (!goesOn) this.#begin(connection, request.initiatorTaskTag);
    const isOurs =
      request.initiatorTaskTag === this.#tag && (!goesOn || request.targetTransferTag === this.#transferTag);
    if (!isOurs || (request.final && request.continue) || !this.#take(connection, request, text)) {
      this.#end();
      connection.reject(rejectReason.protocolError, header, 0);
      return;
    }
    const size = Math.min(connection.parameters.MaxRecvDataSegmentLength, textBytesMax);
    const piece = this.#answer.subarray(0, size);
    this.#answer = this.#answer.subarray(size);
    const more = this.#answer.length > 0;
    this.#send(connection, request.lun, piece, more, !more && request.final);
  }

  /** Gathers text; when it is complete, makes the answer. @returns false when the text is refused */
  #take(connection: Link, request: { continue: boolean }, text: Uint8Array): boolean {
    // An empty text asks for the rest of the answer.
    if (this.#answer.length > 0) return text.length === 0;
    if (this.#received.length + text.length > textBytesMax) return false;
    this.#received = Buffer.concat([this.#received, text]);
    if (request.continue) return true;
    const pairs = parseText(this.#received, textPairsMax);
    this.#received = nothing;
    const { session } = connection;
    const answers = typeof pairs === 'string' || !session ? undefined : this.#answerPairs(connection, session, pairs);
    if (answers) this.#answer = printText(answers);
    return answers !== undefined;
  }

  #begin({ session, parameters }: Link, tag: number): void {
    this.#end();
    this.#tag = tag;
    const negotiator = {
      discovery: session?.type === 'Discovery',
      leading: false,
      parameter: (name: string) => session?.tpg?.parameter(name) ?? '',
    };
    this.#negotiation = new Negotiation(parameters, negotiator, true);
  }

  #end(): void {
    this.#tag = noTag;
    this.#transferTag = noTag;
    this.#negotiation = undefined;
    this.#received = nothing;
    this.#answer = nothing;
  }

  /** Answers pairs. @returns undefined when the negotiation has failed */
  #answerPairs({ host, ends }: Link, session: Session, pairs: readonly Pair[]): Pair[] | undefined {
    const asked = pairs.filter(([name]) => name === 'SendTargets');
    // RFC 7143 4.3: a discovery session asks for targets and nothing else.
    if (asked.length > 1 || (session.type === 'Discovery' && pairs.length > asked.length)) return undefined;
    const answers = this.#negotiation?.answer(pairs.filter(([name]) => name !== 'SendTargets'));
    if (!Array.isArray(answers)) return undefined;
    const asker = {
      initiatorName: session.initiatorName,
      address: ends.remoteAddress,
      date: host.date(),
      localAddress: ends.localAddress,
      boundPort: (portal: Portal) => host.boundPort(portal),
    };
    for (const [name, value] of asked) {
      const targets = sendTargets(host.state, asker, value, session.tpg?.target);
      answers.push(...(targets ?? [[name, 'Reject'] as const]));
    }
    return answers;
  }

  #send(connection: Link, lun: Uint8Array, piece: Uint8Array, more: boolean, final: boolean): void {
    this.#lastTransferTag = (this.#lastTransferTag + 1) % noTag;
    this.#transferTag = final ? noTag : this.#lastTransferTag;
    connection.sender.send(
      textResponse,
      { final, continue: more, lun, initiatorTaskTag: this.#tag, targetTransferTag: this.#transferTag },
      piece,
    );
    if (!final) return;
    // RFC 7143 6.4: the negotiated values hold once the sequence is complete.
    if (this.#negotiation) connection.parameters = this.#negotiation.conclude();
    this.#end();
  }
}
