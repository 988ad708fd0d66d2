/** `tcli tgt-setup-lun …`: makes a target with a disk in one command, as tgt-setup-lun does, where tgt is not installed. */

import { hostname } from 'node:os';
import { getopt } from './getopt.ts';
import { readTargets, type Streams, Tgtadm, ToolEnded, toItsEnd } from './tgt-commands.ts';

const usage = `Usage: tgt-setup-lun -n NAME -d DEVICE [-b BSTYPE] [-B BLOCKSIZE] [-t TRANSPORT] [-C PORT] [ADDRESS …]

This is tcli, in the words of tgt-setup-lun. It makes the target iqn.2001-04.com.HOST-NAME, unless NAME is a whole one,
with the file or device as its next LUN, for everybody or for the initiators at those addresses.
Disks of more than 2 TiB with 4096-byte sectors need -B 4096: a file system on them is not found otherwise.
`;

/** Asks a person, or the input. */
export type Ask = (question: string) => Promise<string>;

/** Runs tgt-setup-lun. @returns its exit status */
export function tgtSetupLun(
  words: readonly string[],
  environment: NodeJS.ProcessEnv,
  streams: Streams,
  ask: Ask,
): Promise<number> {
  return toItsEnd(async () => {
    const { wanted, addresses } = readWords(words, streams);
    const setup = new Setup(wanted, environment, streams);
    const target = await setup.target(ask);
    await setup.unit(target);
    await setup.access(target, addresses);
  });
}

/** The disk that the options ask for. */
interface Wanted {
  readonly device: string;
  readonly type: string;
  readonly name: string;
  readonly driver: string;
  readonly port: string | undefined;
  readonly blockSize: string | undefined;
}

/** The target that gets the disk. */
interface DiskTarget {
  readonly tid: number;
  /** Whether the target was made for the disk: it goes again when the disk cannot be had. */
  readonly isNew: boolean;
  readonly luns: readonly number[];
  readonly rules: readonly string[];
}

/** @throws ToolEnded after the usage, or after what is wrong with the words */
function readWords(
  words: readonly string[],
  { say, complain }: Streams,
): { wanted: Wanted; addresses: readonly string[] } {
  const fail = (text: string): never => {
    say(`Error: ${text}\n`);
    throw new ToolEnded(1);
  };
  const { found, words: addresses, problem } = getopt(words, [], 'd:n:b:B:t:hC:');
  const options = new Map(found);
  if (words.length === 0 || options.has('h')) {
    say(usage);
    throw new ToolEnded(1);
  }
  if (problem !== undefined) complain(`tgt-setup-lun: ${problem}\n`);
  const [device = '', type = '', name = ''] = ['d', 'b', 'n'].map((letter) => options.get(letter));
  const [driver = 'iscsi', port, blockSize] = ['t', 'C', 'B'].map((letter) => options.get(letter));
  if (device === '' && type !== 'null') fail('a device is mandatory');
  if (name === '') fail('target name is mandatory');
  return { wanted: { device, type, name, driver, port, blockSize }, addresses };
}

/** The steps of the tool, in its order. Each one throws ToolEnded when it gives up. */
class Setup {
  readonly #wanted: Wanted;
  readonly #streams: Streams;
  readonly #tgtadm: Tgtadm;
  readonly #begin: readonly string[];

  constructor(wanted: Wanted, environment: NodeJS.ProcessEnv, streams: Streams) {
    this.#wanted = wanted;
    this.#streams = streams;
    this.#tgtadm = new Tgtadm(environment, streams.complain);
    this.#begin = [...(wanted.port === undefined ? [] : ['-C', wanted.port]), '--lld', wanted.driver];
  }

  /** The target with the name, which is made if need be. */
  async target(ask: Ask): Promise<DiskTarget> {
    const { say } = this.#streams;
    const { name, driver, port } = this.#wanted;
    const { status, output } = await this.#tgtadm.run([...this.#begin, '--op', 'show', '--mode', 'target']);
    if (status !== 0) {
      say('tgtd is not running\nExiting...\n');
      throw new ToolEnded(1);
    }
    if (port !== undefined) say(`Control port: ${port}\n`);
    say(`Using transport: ${driver}\n`);
    const wwn = name.startsWith('iqn') ? name : `iqn.2001-04.com.${hostname().split('.')[0]}-${name}`;
    const targets = readTargets(output);
    const there = targets.find((one) => one.name === wwn);
    if (there) {
      say(`Error: target named ${wwn} already exists\n`);
      if ((await ask('Add a new lun to the existing target? (yes/NO): ')) !== 'yes') throw new ToolEnded(1);
      return { tid: there.tid, isNew: false, luns: there.luns, rules: there.rules };
    }
    const taken = targets.map((one) => one.tid);
    const tid = firstFree(1, taken);
    say(`Creating new target (name=${wwn}, tid=${tid})\n`);
    if (!(await this.#run('new', 'target', '--tid', String(tid), '-T', wwn))) {
      say(`Error: failed to create target (name=${wwn}, tid=${tid})\n`);
      throw new ToolEnded(1);
    }
    return { tid, isNew: true, luns: [0], rules: [] };
  }

  /** Adds the disk as the next LUN. */
  async unit(target: DiskTarget): Promise<void> {
    const { say } = this.#streams;
    const { device, type, blockSize } = this.#wanted;
    const lun = firstFree(0, target.luns);
    say(`Adding a logical unit (${device}) to target, tid=${target.tid}\n`);
    if (type !== '') say(`Setting backing store type: ${type}\n`);
    const store = [
      ...(device === '' ? [] : ['-b', device]),
      ...(type === '' ? [] : ['-E', type]),
      ...(blockSize === undefined ? [] : ['--blocksize', blockSize]),
    ];
    if (!(await this.#run('new', 'logicalunit', '--tid', String(target.tid), '--lun', String(lun), ...store)))
      await this.#giveUp(target, `failed to add a logical unit (${device}) to target, tid=${target.tid}`);
  }

  /** Lets the addresses in, or without any, everybody. */
  async access(target: DiskTarget, addresses: readonly string[]): Promise<void> {
    const { say } = this.#streams;
    const bind = (address: string) => this.#run('bind', 'target', '--tid', String(target.tid), '-I', address);
    const isLetIn = (address: string) => target.rules.includes(address);
    if (addresses.length > 0) {
      say(`Accepting connections from ${addresses.join(' ')}\n`);
      for (const address of addresses)
        if (!isLetIn(address) && !(await bind(address)))
          say(`Error: could not assign initiator ${address} to the target\n`);
    } else if (!isLetIn('ALL')) {
      say('Accepting connections from all initiators\n');
      if (!(await bind('ALL'))) await this.#giveUp(target, 'failed to set access for all initiators');
    }
  }

  /** A target that was made for the disk is removed again. */
  async #giveUp({ tid, isNew }: DiskTarget, text: string): Promise<never> {
    const { say } = this.#streams;
    say(`Error: ${text}\n`);
    if (!isNew) throw new ToolEnded(1);
    say(`Deleting new target, tid=${tid}\n`);
    if (!(await this.#run('delete', 'target', '--tid', String(tid))))
      say(`Error: failed to delete target, tid=${tid}\n`);
    throw new ToolEnded(1);
  }

  /** @returns whether tgtadm did it */
  async #run(op: string, mode: string, ...more: readonly string[]): Promise<boolean> {
    const { status, output, error } = await this.#tgtadm.run([...this.#begin, '--op', op, '--mode', mode, ...more]);
    this.#streams.say(output);
    this.#streams.complain(error);
    return status === 0;
  }
}

function firstFree(from: number, taken: readonly number[]): number {
  let free = from;
  while (taken.includes(free)) free += 1;
  return free;
}
