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
  { say, complain }: Streams,
  ask: Ask,
): Promise<number> {
  const fail = (text: string): never => {
    say(`Error: ${text}\n`);
    throw new ToolEnded(1);
  };
  return toItsEnd(async () => {
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
    const tgtadm = new Tgtadm(environment, complain);
    const begin = [...(port === undefined ? [] : ['-C', port]), '--lld', driver];
    const run = async (...more: string[]) => {
      const { status, output, error } = await tgtadm.run([...begin, ...more]);
      say(output);
      complain(error);
      return status === 0;
    };
    const { status, output } = await tgtadm.run([...begin, '--op', 'show', '--mode', 'target']);
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
    }
    const tid =
      there?.tid ??
      firstFree(
        1,
        targets.map((one) => one.tid),
      );
    if (!there) {
      say(`Creating new target (name=${wwn}, tid=${tid})\n`);
      if (!(await run('--op', 'new', '--mode', 'target', '--tid', String(tid), '-T', wwn)))
        fail(`failed to create target (name=${wwn}, tid=${tid})`);
    }
    /** Gives up; a target that was made for the disk is removed again. */
    const giveUp = async (text: string) => {
      say(`Error: ${text}\n`);
      if (there) throw new ToolEnded(1);
      say(`Deleting new target, tid=${tid}\n`);
      if (!(await run('--op', 'delete', '--mode', 'target', '--tid', String(tid))))
        say(`Error: failed to delete target, tid=${tid}\n`);
      throw new ToolEnded(1);
    };
    const lun = firstFree(0, there?.luns ?? [0]);
    say(`Adding a logical unit (${device}) to target, tid=${tid}\n`);
    if (type !== '') say(`Setting backing store type: ${type}\n`);
    const store = [
      ...(device === '' ? [] : ['-b', device]),
      ...(type === '' ? [] : ['-E', type]),
      ...(blockSize === undefined ? [] : ['--blocksize', blockSize]),
    ];
    const unit = ['--op', 'new', '--mode', 'logicalunit', '--tid', String(tid), '--lun', String(lun), ...store];
    if (!(await run(...unit))) await giveUp(`failed to add a logical unit (${device}) to target, tid=${tid}`);
    const bind = (address: string) => run('--op', 'bind', '--mode', 'target', '--tid', String(tid), '-I', address);
    const isLetIn = (address: string) => there?.rules.includes(address) ?? false;
    if (addresses.length > 0) {
      say(`Accepting connections from ${addresses.join(' ')}\n`);
      for (const address of addresses)
        if (!isLetIn(address) && !(await bind(address)))
          say(`Error: could not assign initiator ${address} to the target\n`);
    } else if (!isLetIn('ALL')) {
      say('Accepting connections from all initiators\n');
      if (!(await bind('ALL'))) await giveUp('failed to set access for all initiators');
    }
  });
}

const firstFree = (from: number, taken: readonly number[]): number => {
  let free = from;
  while (taken.includes(free)) free += 1;
  return free;
};
