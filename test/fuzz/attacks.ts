// Kinds of attack on a live target: how a connection begins, and what malformed input goes over it. Each input is
// delivered: the connection was open when it was written, and what it came to is seen before the next one.

import { connect, type Socket } from 'node:net';
import fc from 'fast-check';
import {
  dataOut as dataOutPdu,
  headerBytes,
  loginRequest,
  nopOut,
  noTag,
  taskManagementRequest,
  textRequest,
} from '../../src/iscsi/pdu.ts';
import { slicedCrc32c } from '../../src/wire/crc32c.ts';
import { printText } from '../../src/wire/text.ts';
import { Initiator } from '../support/initiator.ts';
import { dataOut, loginPairs, noisyCdb, noisyPdu } from './inputs.ts';

/** How long an input may leave the target silent before the connection is given up: it waits for the rest of a PDU. */
const silentMs = 10;
/** How long an answer may take that has to come. */
const answerMs = 5000;
const pingTag = 0x7fffff01;

export const iqn = (name: string): string => `iqn.2003-01.org.example:${name}`;

let connections = 0;

/** An initiator on a socket of its own, with an ISID of its own. */
export class Attacker {
  readonly initiator: Initiator;
  readonly #socket: Socket;
  open = true;
  #onChange: () => void = () => {};

  constructor(port: number, target: string) {
    connections += 1;
    this.#socket = connect(port, '127.0.0.1');
    this.#socket.setNoDelay(true).on('error', () => {});
    this.initiator = new Initiator(iqn(target), (bytes) => this.#socket.write(bytes));
    this.initiator.isid = Uint8Array.of(0x80, 0, 0, connections >> 16, connections >> 8, connections);
    this.initiator.next = async () => {
      if (!(await this.#until(() => this.initiator.inbox.length > 0, answerMs))) throw new Error('no answer');
      return this.initiator.inbox.shift()!;
    };
    this.#socket.on('data', (data) => {
      try {
        this.initiator.receive(data);
      } catch {
        // The answers to noise are not judged.
      }
      this.#onChange();
    });
    this.#socket.on('close', () => {
      this.open = false;
      this.#onChange();
    });
  }

  /** Waits until `seen` or the connection is gone. @returns whether it was seen in time */
  #until(seen: () => boolean, ms: number): Promise<boolean> {
    if (seen() || !this.open) return Promise.resolve(seen());
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#onChange = () => {};
        resolve(seen());
      };
      const timer = setTimeout(done, ms);
      this.#onChange = () => {
        if (seen() || !this.open) done();
      };
    });
  }

  /** After login: whether the target still answers here. One that does not is given up. */
  async answers(): Promise<void> {
    const { initiator } = this;
    const isEcho = () => initiator.inbox.some(({ values }) => values['initiatorTaskTag'] === pingTag);
    const numbers = { cmdSn: initiator.cmdSn, expStatSn: initiator.expStatSn, immediate: true };
    initiator.send(nopOut, { ...numbers, final: true, initiatorTaskTag: pingTag, targetTransferTag: noTag });
    if (!(await this.#until(isEcho, silentMs))) this.close();
    initiator.inbox.length = 0;
  }

  /** Before the end of login: waits for one answer, or the end. */
  async reply(): Promise<void> {
    const { inbox } = this.initiator;
    const isAnswered = await this.#until(() => inbox.length > 0, silentMs);
    // A login that was refused is over, though its end may not be here yet.
    if (!isAnswered || inbox.some(({ values }) => values['statusClass'] !== 0)) this.close();
    inbox.length = 0;
  }

  close(): void {
    this.open = false;
    this.#socket.destroy();
  }
}

type Input = (one: Attacker) => Promise<void>;

export interface Attack {
  readonly name: string;
  readonly target: 'attacked' | 'secured';
  /** The exchange before the inputs. */
  begin(one: Attacker): Promise<unknown>;
  inputs(seed: number, count: number): Input[];
}

const sample = <T>(arbitrary: fc.Arbitrary<T>, seed: number, numRuns: number): T[] =>
  fc.sample(arbitrary, { seed, numRuns });

const asText = (pairs: readonly (readonly [string, string])[]): Uint8Array => printText(pairs);

/** The digests behind a header and behind its data, as they should be: what is malformed gets through to the parser. */
function withDigests(bytes: Uint8Array): Buffer {
  const end = headerBytes + bytes[4]! * 4;
  const digest = (of: Uint8Array) => {
    const out = Buffer.alloc(4);
    out.writeUInt32LE(slicedCrc32c(of, 0, of.length));
    return out;
  };
  const head = bytes.subarray(0, end);
  const data = bytes.subarray(end);
  return Buffer.concat([head, digest(head), data, data.length > 0 ? digest(data) : Buffer.alloc(0)]);
}

const chapValue = fc.oneof(
  fc.constantFrom('', '0x', '0b', '5', '256', '-1', `0x${'ab'.repeat(1025)}`, `0b${'AAAA'.repeat(400)}`, 'user'),
  fc.uint8Array({ maxLength: 40 }).map((bytes) => `0x${Buffer.from(bytes).toString('hex')}`),
  fc.string({ maxLength: 40 }).map((text) => text.replaceAll('\0', '')),
);

const flags = fc.record({ final: fc.boolean(), continue: fc.boolean(), immediate: fc.boolean() });
const smallTag = fc.constantFrom(0, 1, 2, 3, noTag);

export const attacks: readonly Attack[] = [
  {
    name: 'bytes before login',
    target: 'attacked',
    begin: async () => {},
    inputs: (seed, count) =>
      sample(fc.uint8Array({ minLength: 1, maxLength: 300 }), seed, count).map((bytes) => async (one) => {
        one.initiator.raw(bytes);
        await one.reply();
      }),
  },
  {
    name: 'login text',
    target: 'attacked',
    begin: async () => {},
    inputs: (seed, count) =>
      sample(fc.tuple(loginPairs, fc.boolean(), fc.nat(3), fc.nat(3)), seed, count).map(
        ([pairs, named, stage, nextStage]) =>
          async (one) => {
            const { initiator } = one;
            const names = named ? Object.entries(initiator.names) : [];
            const values = { ...initiator.loginValues(stage), transit: nextStage > 0, nextStage };
            initiator.send(loginRequest, values, asText([...names, ...pairs]));
            await one.reply();
          },
      ),
  },
  {
    name: 'CHAP',
    target: 'secured',
    begin: async ({ initiator }) => {
      await initiator.loginStep(0, undefined, { ...initiator.names, AuthMethod: 'CHAP' });
      await initiator.loginStep(0, undefined, { CHAP_A: '5' });
    },
    inputs: (seed, count) =>
      sample(fc.tuple(chapValue, chapValue, chapValue, chapValue), seed, count).map(([n, r, i, c]) => async (one) => {
        const keys = { CHAP_N: n, CHAP_R: r, CHAP_I: i, CHAP_C: c };
        const values = { ...one.initiator.loginValues(0), transit: true, nextStage: 1 };
        one.initiator.send(loginRequest, values, asText(Object.entries(keys)));
        await one.reply();
      }),
  },
  {
    name: 'PDUs',
    target: 'attacked',
    begin: ({ initiator }) => initiator.login(),
    inputs: (seed, count) =>
      sample(noisyPdu, seed, count).map((bytes) => async (one) => {
        one.initiator.raw(bytes);
        await one.answers();
      }),
  },
  {
    name: 'PDUs with digests',
    target: 'attacked',
    begin: ({ initiator }) => initiator.login({ HeaderDigest: 'CRC32C', DataDigest: 'CRC32C', MaxConnections: '2' }),
    inputs: (seed, count) =>
      sample(noisyPdu, seed, count).map((bytes) => async (one) => {
        one.initiator.raw(withDigests(bytes));
        await one.answers();
      }),
  },
  {
    name: 'CDBs and parameters',
    target: 'attacked',
    begin: ({ initiator }) => initiator.login({ FirstBurstLength: '65536' }),
    inputs: (seed, count) =>
      sample(fc.tuple(noisyCdb, dataOut, fc.boolean()), seed, count).map(([cdb, data, reads]) => async (one) => {
        one.initiator.sendCommand(
          [...cdb],
          reads ? { read: true, length: 4096 } : { data, immediateData: data.length },
        );
        await one.answers();
      }),
  },
  {
    name: 'Data-Out',
    target: 'attacked',
    begin: async ({ initiator }) => {
      await initiator.login({ InitialR2T: 'No', DataPDUInOrder: 'No', MaxOutstandingR2T: '4', MaxBurstLength: '1024' });
      initiator.sendCommand([0x2a, 0, 0, 0, 0, 0, 0, 0, 8, 0], { write: true, length: 4096 });
    },
    inputs: (seed, count) =>
      sample(fc.tuple(flags, smallTag, fc.nat(4100), fc.nat(600), fc.nat(3)), seed, count).map(
        ([{ final }, targetTransferTag, bufferOffset, length, dataSn]) =>
          async (one) => {
            const values = { final, initiatorTaskTag: 1, targetTransferTag, bufferOffset, dataSn };
            one.initiator.send(dataOutPdu, values, new Uint8Array(length));
            await one.answers();
          },
      ),
  },
  {
    name: 'text requests',
    target: 'attacked',
    begin: ({ initiator }) => initiator.login(),
    inputs: (seed, count) =>
      sample(fc.tuple(flags, smallTag, loginPairs, fc.boolean()), seed, count).map(
        ([bits, targetTransferTag, pairs, cut]) =>
          async (one) => {
            const text = asText([...pairs, ['SendTargets', 'All']]);
            const values = { ...one.initiator.number(bits.immediate), ...bits, initiatorTaskTag: 1, targetTransferTag };
            one.initiator.send(textRequest, values, cut ? text.subarray(0, text.length >> 1) : text);
            await one.answers();
          },
      ),
  },
  {
    name: 'task management',
    target: 'attacked',
    begin: async ({ initiator }) => {
      await initiator.login();
      for (let count = 0; count < 3; count += 1)
        initiator.sendCommand([0x2a, 0, 0, 0, 0, 0, 0, 0, 8, 0], { write: true, length: 4096 });
    },
    inputs: (seed, count) =>
      sample(fc.tuple(flags, fc.nat(127), fc.nat(5), fc.nat(9), fc.nat(9)), seed, count).map(
        ([{ immediate }, code, referencedTaskTag, refCmdSn, lun]) =>
          async (one) => {
            const { initiator } = one;
            const values = {
              ...initiator.number(immediate),
              final: true,
              function: code,
              initiatorTaskTag: initiator.tag(),
            };
            const field = Uint8Array.of(0, lun < 7 ? 0 : lun, 0, 0, 0, 0, 0, 0);
            initiator.send(taskManagementRequest, { ...values, referencedTaskTag, refCmdSn, lun: field });
            await one.answers();
          },
      ),
  },
];
