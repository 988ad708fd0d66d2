// Initiators of tgtd find the same disks after an import: LUN numbers, VPD pages and data, byte for byte.

import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { connectInitiator } from '../support/connect-initiator.ts';
import { needs } from '../support/needs.ts';
import { configure, freePort, run, serve, temporaryDirectory } from '../support/tcli.ts';

const iqns = ['a', 'b'].map((name) => `iqn.2026-11.org.example:${name}`);
/** The LUNs of each. */
const luns = [[1, 4], [7]];

/** What an initiator knows a LUN by, and its first blocks. */
async function seen(port: number): Promise<Record<string, string>> {
  const all: Record<string, string> = {};
  for (const [at, iqn] of iqns.entries()) {
    const { initiator, close } = await connectInitiator(port, iqn, 'iqn.2026-01.com.example:me');
    for (const lun of luns[at]!)
      for (const [what, cdb, length] of [
        ['80h', [0x12, 1, 0x80, 0, 255, 0], 255],
        ['83h', [0x12, 1, 0x83, 0, 255, 0], 255],
        ['blocks', [0x28, 0, 0, 0, 0, 0, 0, 0, 8, 0], 4096],
      ] as const) {
        // What is told first is no answer.
        await initiator.command([0, 0, 0, 0, 0, 0], { lun });
        await initiator.command([0, 0, 0, 0, 0, 0], { lun });
        const { status, data } = await initiator.command([...cdb], { lun, read: true, length });
        all[`${iqn} ${lun} ${what}`] = `${status} ${data.toString('hex')}`;
      }
    close();
  }
  return all;
}

test('a switch from tgtd by import', needs('root', 'tgtadm', 'tgt-admin', 'tgtd'), async () => {
  const folder = temporaryDirectory();
  for (const name of ['a', 'b', 'c']) writeFileSync(join(folder, name), randomBytes(1 << 20));
  const conf = join(folder, 'targets.conf');
  writeFileSync(
    conf,
    `<target ${iqns[0]}>
      backing-store ${folder}/a
      <backing-store ${folder}/b>
        lun 4
        scsi_id an-id-of-ours
        scsi_sn SERIAL-4
        vendor_id ACME
      </backing-store>
    </target>
    <target ${iqns[1]}>
      controller_tid 300
      lun 7
      backing-store ${folder}/c
    </target>`.replace(`backing-store ${folder}/a\n`, `<backing-store ${folder}/a>\n</backing-store>\n`),
  );
  const env = { ...process.env, TGT_IPC_SOCKET: join(folder, 'socket') };
  const port = await freePort();
  const tgtd = spawn('tgtd', ['-f', '-C', '5', '--iscsi', `portal=127.0.0.1:${port}`], { env, stdio: 'ignore' });
  onTestFinished(() => void tgtd.kill('SIGKILL'));
  while ((await run('tgtadm', ['-C', '5', '--mode', 'sys', '--op', 'show'], { env })).status !== 0) await sleep(50);
  expect(await run('tgt-admin', ['-C', '5', '-c', conf, '-e', '-f'], { env })).toMatchObject({ status: 0 });
  const before = await seen(port);
  expect(Object.values(before).filter((answer) => answer.startsWith('0 '))).toHaveLength(9);
  tgtd.kill('SIGKILL');
  const home = join(folder, 'home');
  mkdirSync(home);
  const ours = await freePort();
  await configure(
    home,
    `import ${conf}`,
    ...iqns.map((iqn) => `/iscsi/${iqn}/tpg1/portals create 127.0.0.1 ${ours}`),
    ...iqns.flatMap((iqn) => ['0.0.0.0', '::'].map((any) => `/iscsi/${iqn}/tpg1/portals delete ${any} 3260`)),
  );
  await serve(home);
  expect(await seen(ours)).toEqual(before);
});
