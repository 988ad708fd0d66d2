// Initiators of tgtd find the same disks after an import: LUN numbers, VPD pages and data, byte for byte.

import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { connectInitiator } from '../support/connect-initiator.ts';
import { needs, tgtExamples } from '../support/needs.ts';
import { configure, freePort, run, serve, tcli, temporaryDirectory } from '../support/tcli.ts';

const iqns = ['a', 'b'].map((name) => `iqn.2026-11.org.example:${name}`);
/** The LUNs of each. */
const luns = [[1, 4], [7]];

/** The identity of a LUN for an initiator, and its first blocks. */
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
        // The unit attention that is told first is no answer.
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

/** The targets, units and rules that commands of tgtadm make. */
function madeBy(commands: string) {
  const words = commands.split('\n').filter((line) => line.startsWith('tgtadm'));
  const found = (pattern: RegExp) => words.flatMap((line) => pattern.exec(line)?.slice(1).join(' ') ?? []);
  return {
    targets: found(/--op new --mode target --tid (\d+) -T (\S+)/),
    units: found(/--op new --mode logicalunit --tid (\d+) --lun (\d+) -b "(.*?)"/),
    rules: found(/--op bind --mode target --tid (\d+) -[IQ] (\S+)/),
    accounts: found(/--mode account --op bind --tid=(\d+) --user=(\S+(?: --outgoing)?)/),
  };
}

test(
  'the examples of the tgt package: import makes what tgt-admin would make of them',
  needs('root', 'tgt-admin', "tgt's examples", 'port 3260'),
  async () => {
    const folder = temporaryDirectory();
    const env = { ...process.env, TGT_IPC_SOCKET: join(folder, 'socket') };
    mkdirSync(join(folder, 'dev/LVM'), { recursive: true });
    const disks = [
      'sda',
      'sdb',
      'sdb1',
      'sdc',
      'sdd',
      'sdd1',
      'sde',
      ...['', '1', '2', '3'].map((n) => `LVM/somedevice${n}`),
    ];
    for (const name of disks) writeFileSync(join(folder, 'dev', name), randomBytes(1 << 16));
    const conf = join(folder, 'targets.conf');
    // The number 10 is asked for twice in it, which tgtd refuses.
    const text = readFileSync(join(tgtExamples, 'targets.conf.example'), 'utf8').replaceAll('/dev/', `${folder}/dev/`);
    writeFileSync(conf, text.replace(/(.*)controller_tid 10/s, '$1controller_tid 20'));
    const home = join(folder, 'home');
    process.env['TGT_IPC_SOCKET'] = env.TGT_IPC_SOCKET;
    await serve(home, '--tgtadm');
    const theirs = madeBy((await run('tgt-admin', ['-c', conf, '-f', '-p', '-e'], { env })).stdout);
    expect(theirs.units).toHaveLength(19);
    const { stdout } = await tcli(home, ['import', conf]);
    const exported = join(folder, 'exported.conf');
    writeFileSync(exported, (await tcli(home, ['export', '--tgt'])).stdout);
    // One disk is a backing-store and a direct-store of one target.
    const listed = (said: string) => said.split('\n').filter((line) => line.startsWith('Not taken over'));
    expect(listed(stdout)).toEqual([expect.stringMatching(/dev\/sdc: LUN 1 of target 4 is taken/)]);
    expect(stdout).toContain('Imported: 9 targets.');
    const ours = madeBy((await run('tgt-admin', ['-c', exported, '-f', '-p', '--update', 'ALL'], { env })).stdout);
    const sorted = (made: typeof ours) => Object.values(made).map((all) => [...new Set(all)].toSorted());
    expect(sorted(ours)).toEqual(sorted(theirs));
    for (const name of ['targets.conf.vtl.L700', 'targets.conf.vtl.MSL2024']) {
      const said = await tcli(home, ['import', join(tgtExamples, name), '--dry-run']);
      expect([name, said.status, listed(said.stdout)]).toEqual([
        name,
        0,
        expect.arrayContaining([expect.stringContaining('there is no tape here')]),
      ]);
    }
  },
);
