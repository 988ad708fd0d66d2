// The walks that walk.ts prints, each of one thing that was done before, so that nothing is made for the first time.

import { homeOf, openHost } from '../../src/index.ts';
import { IscsiTarget } from '../support/iscsi-target.ts';
import { openShell, removeHome } from '../support/shell.ts';
import type { WalkStep } from './walk.ts';

declare global {
  /** The function that an instrumented function calls first. */
  var walked: ((room: string, name: string) => void) | undefined;
}

/** The functions that are entered while `work` goes on. */
async function follow(work: () => unknown): Promise<WalkStep[]> {
  const steps: WalkStep[] = [];
  globalThis.walked = (room, name) => void steps.push({ room, name });
  await work();
  globalThis.walked = undefined;
  return steps;
}

/** `again` is what is followed, PDU by PDU: what the initiator does in between is no part of the walk. */
async function command(
  cdb: readonly number[],
  options: { read?: true; length?: number; data?: Buffer; immediateData?: number },
) {
  const target = new IscsiTarget();
  const { initiator, connection, output } = await target.login({
    ImmediateData: options.immediateData ? 'Yes' : 'No',
    InitialR2T: 'Yes',
  });
  await initiator.command(cdb, options);
  const steps: WalkStep[] = [];
  const raw: Uint8Array[] = [];
  initiator.raw = (bytes) => void raw.push(bytes);
  output.onCommit = () => {};
  const pass = async () => {
    const pdu = raw.shift()!;
    steps.push(...(await follow(() => connection.feed(pdu, 0, pdu.length))));
    initiator.receive(output.take());
  };
  const tag = initiator.sendCommand(cdb, options);
  await pass();
  if (options.data && !options.immediateData) {
    const asked = await initiator.next();
    initiator.sendRequested(asked, options.data);
    await pass();
  }
  const { status } = await initiator.finish(tag);
  if (status !== 0) throw new Error(`the command ended with status ${status}`);
  return steps;
}

const blocks = 8;
const bytes = 4096;
const wwn = 'iqn.2026-01.com.example:walk';
const initiatorName = 'iqn.2026-01.com.example:initiator';

const lines = [
  'cd /',
  '/backstores/ramdisk create disk0 16M',
  '/backstores/ramdisk create disk1 16M',
  `/iscsi create ${wwn}`,
  `/iscsi/${wwn}/tpg1/acls create ${initiatorName}`,
  `/iscsi/${wwn}/tpg1/luns create /backstores/ramdisk/disk0`,
];

async function configured() {
  const shell = await openShell();
  for (const line of lines) {
    const said = await shell.run(line);
    if (said.includes('E| ')) throw new Error(said);
  }
  return shell;
}

export const walks = {
  /** READ(10) of 4 KiB. */
  read: () => command([0x28, 0, 0, 0, 0, 0, 0, 0, blocks, 0], { read: true, length: bytes }),
  /** READ(10) of 4 KiB with FUA, which the fast path leaves to the general path. */
  'read with FUA': () => command([0x28, 0x08, 0, 0, 0, 0, 0, 0, blocks, 0], { read: true, length: bytes }),
  /** WRITE(10) of 4 KiB that brings its data. */
  'write at once': () =>
    command([0x2a, 0, 0, 0, 0, 0, 0, 0, blocks, 0], { data: Buffer.alloc(bytes, 1), immediateData: bytes }),
  /** WRITE(10) of 4 KiB, asked for by one R2T. */
  write: () => command([0x2a, 0, 0, 0, 0, 0, 0, 0, blocks, 0], { data: Buffer.alloc(bytes, 1) }),
  /** A LUN for one ACL: two operations. */
  line: async () => {
    const shell = await configured();
    const steps = await follow(() => shell.run(`/iscsi/${wwn}/tpg1/luns create /backstores/ramdisk/disk1`));
    await shell.close();
    removeHome(shell.directory);
    return steps;
  },
  /** One disk and one target, from what was saved to a portal that listens. */
  boot: async () => {
    const shell = await configured();
    await shell.run(`/iscsi/${wwn}/tpg1/portals delete 0.0.0.0 3260`, `/iscsi/${wwn}/tpg1/portals create 127.0.0.1 0`);
    await shell.run('saveconfig');
    await shell.close();
    let close = async (): Promise<void> => {};
    const steps = await follow(async () => {
      const host = await openHost({ home: homeOf(shell.directory, {}, undefined), role: 'serve' });
      await host.root.start();
      close = () => host.close();
    });
    await close();
    removeHome(shell.directory);
    return steps;
  },
};
