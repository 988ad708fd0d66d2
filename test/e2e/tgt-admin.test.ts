// tgt's own tgt-admin and tgt-setup-lun, and ours: the same lines before two tclis that are alike, what they say, how they end,
// and what there is then.

import { mkdirSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { connectInitiator } from '../support/connect-initiator.ts';
import { needs } from '../support/needs.ts';
import { freePort, quickHome, run, serve, temporaryDirectory } from '../support/tcli.ts';
import { typeAlone } from '../support/tgt-recording.ts';

const iqn = 'iqn.2026-11.org.example:one';
const tools = ['tgt-admin', 'tgt-setup-lun'];

const anywhere = ['0.0.0.0:3260', '[::]:3260'];

/** A tcli with two portals less and one more, files a to d, and programs of one kind on the path. */
async function stage(whose: 'ours' | 'theirs') {
  const folder = temporaryDirectory();
  const bin = join(folder, 'bin');
  mkdirSync(bin);
  if (whose === 'ours')
    for (const tool of tools) symlinkSync(resolve(import.meta.dirname, '../../shell/bin/tcli'), join(bin, tool));
  const socket = join(folder, 'socket');
  process.env['TGT_IPC_SOCKET'] = socket;
  await serve(quickHome(), '--tgtadm');
  for (const name of ['a', 'b', 'c', 'd']) {
    writeFileSync(join(folder, name), '');
    truncateSync(join(folder, name), 1 << 20);
  }
  const port = String(await freePort());
  const env = { ...process.env, PATH: `${bin}:${process.env['PATH']}`, TGT_IPC_SOCKET: socket };
  const masked = (text: string) =>
    text
      .replaceAll(folder, '@')
      .replaceAll(`:${port}`, ':PORT')
      .replaceAll(`.com.${hostname().split('.')[0]}-`, '.com.HOST-');
  /** Perl walks a hash in an order of chance; sg_inq says what it cannot do. */
  const linesOf = (text: string) =>
    masked(text)
      .split('\n')
      .filter((line) => !/^(sg_|inquiry:| +inquiry:|read capacity|READ CAP)/.test(line))
      .toSorted();
  for (const words of [
    `new --mode portal --param portal=127.0.0.1:${port}`,
    ...anywhere.map((at) => `delete --mode portal --param portal=${at}`),
  ])
    await run('bash', ['-c', `tgtadm --op ${words}`], { env });
  return {
    port: Number(port),
    async play(line: string, input = '') {
      const text = line.replaceAll('@', folder).replaceAll('PORT', port);
      const { status, stdout, stderr } = await typeAlone(text, { env, input });
      return { line, status, said: linesOf(stdout), complained: linesOf(stderr) };
    },
    write(name: string, text: string) {
      writeFileSync(join(folder, name), text.replaceAll('@', folder));
    },
  };
}

type Act = readonly [line: string, conf?: string];

/** Plays lines on both. */
async function both(acts: readonly Act[]) {
  const stages = [await stage('theirs'), await stage('ours')];
  for (const [line, conf] of acts) {
    const answers = [];
    for (const one of stages) {
      if (conf !== undefined) one.write('conf', conf);
      answers.push(await one.play(line));
    }
    expect(answers[1]).toEqual(answers[0]);
    const shown = await Promise.all(
      stages.map((one) => one.play('tgtadm --op show --mode target; tgtadm --op show --mode account')),
    );
    expect({ after: line, ...shown[1] }).toEqual({ after: line, ...shown[0] });
  }
}

const withProgram = needs('root', 'tgtadm', 'tgt-admin', 'tgt-setup-lun');

const whole = `
default-driver iscsi
incomingdiscoveryuser ignored words
<target ${iqn}>
    # every option that a target has
    MaxRecvDataSegmentLength 131072
    ImmediateData No
    initiator-address 192.0.2.7
    initiator-address 198.51.100.0/24
    initiator-name iqn.1994-05.com.redhat:client1
    incominguser fred the-secret-of-fred   # and a comment
    incominguser bill the-secret-of-bill
    outgoinguser out the-secret-of-out
    outgoinguser more the-secret-of-more
    product_id "A B"
    write-cache off
    <backing-store @/a>
        lun 3
        vendor_id ACME
        block-size 4096
        readonly 1
        params thin_provisioning=1
        mode_page 8:0:1:4
        write-cache on
    </backing-store>
    <backing-store @/b>
        scsi_sn SN#1
        scsi_id = ID1
        removable 1
        bs-type aio
        bsoflags direct
    </backing-store>
</target>
<target ${iqn}:two>
    direct-store @/c
    backing-store @/d
    backing-store @/nosuch
    controller_tid 9
</target>
<target ${iqn}:three>
    lun 5
    block-size 4096
    nosuch option
</target>
incomingdiscoveryuser disco the-secret-of-disco
`.replace('incomingdiscoveryuser ignored words\n', '');

test('targets are made, shown, dumped, set offline and ready, made anew and removed', withProgram, async () => {
  await both([
    ['tgt-admin -c @/conf -p -e', whole],
    ['tgt-admin -c @/conf -v -e'],
    ['tgt-admin -c @/conf -v -e'],
    ['tgt-admin --show'],
    [`tgt-admin --offline ${iqn}:two`],
    ['tgt-admin -v --ready ALL'],
    ['tgt-admin -v --offline tid=9'],
    ['tgt-admin --offline iqn.nosuch'],
    [`tgt-admin -c @/conf -v --update ${iqn}:two`],
    ['tgt-admin -c @/conf -v --update tid=1'],
    ['tgt-admin -c @/conf -v --update tid=77'],
    ['tgt-admin -c @/conf -v --update iqn.nosuch'],
    ['tgt-admin -c @/conf -p --update ALL'],
    ['tgt-admin -c @/conf -f -v --update ALL', whole.replace('@/d', '@/c').replace('product_id "A B"', '')],
    // Targets that are not in the file go.
    ['tgt-admin -c @/conf -v -e', `<target ${iqn}:two>\n</target>\n`],
    ['tgt-admin -v --delete tid=5'],
    ['tgt-admin -v --delete iqn.nosuch'],
    [`tgt-admin -v --delete ${iqn}:two`],
    ['tgt-admin -v --delete ALL'],
  ]);
});

test("a command that fails ends tgt-admin, or does not, as tgt's own does", withProgram, async () => {
  const taken = `<target ${iqn}>\nlun 7\nbacking-store @/a\nbacking-store @/b\n</target>\n`;
  await both([
    ['tgt-admin -c @/nosuch -e'],
    ['tgt-admin -c @/conf -e', taken],
    ['tgt-admin -c @/conf --ignore-errors -v --update ALL'],
    ['tgt-admin --delete ALL -v'],
    ['tgt-admin -c @/conf -v -e', `ignore-errors yes\niSNSServerIP 192.0.2.1\n${taken}`],
    ['tgt-admin -c @/conf -v -e', `<target ${iqn}:iser>\ndriver iser\n</target>\n`],
    ['tgt-admin -c @/conf -v -e', `<target ${iqn}>\nincominguser fred\n</target>\n`],
    ['tgt-admin -c @/conf -v -e', `<target ${iqn}:b>\nbacking-store\n</target>\n`],
    [
      'tgt-admin -c @/conf -v -e',
      `<target ${iqn}:c>\n<backing-store @/c>\nlun 1\nlun 2\n</backing-store>\n</target>\n`,
    ],
    ['tgt-admin -c @/conf -v -e', `<target ${iqn}:d>\nbacking-store @/a\nallow-in-use yes\n</target>\n`],
    ['tgt-admin -c @/conf -v -e', 'default-driver iscsi\n'],
    ['tgt-admin -C 7 --show'],
    ['tgt-admin --nosuch'],
    ['tgt-admin --pre --dum; tgt-admin -dump -v; tgt-admin --delete'],
    ['tgt-admin --ready ALL --offline ALL'],
  ]);
});

test('a target that an initiator is logged in to is removed by force only', withProgram, async () => {
  const conf = `<target ${iqn}>\nbacking-store @/a\n</target>\n`;
  const stages = [await stage('theirs'), await stage('ours')];
  for (const one of stages) {
    one.write('conf', conf);
    expect(await one.play('tgt-admin -c @/conf -e')).toMatchObject({ status: 0 });
    const { close } = await connectInitiator(one.port, iqn, 'iqn.2026-01.com.example:me');
    onTestFinished(close);
  }
  for (const line of [
    'tgt-admin -v --delete ALL',
    'tgt-admin -c @/conf -v --update ALL',
    'tgt-admin -v -f --delete ALL',
  ]) {
    const [theirs, ours] = [await stages[0]!.play(line), await stages[1]!.play(line)];
    expect(ours).toEqual(theirs);
  }
});

test('names alone are meant: the other lets every address in besides', withProgram, async () => {
  const stages = [await stage('theirs'), await stage('ours')];
  const said: string[][] = [];
  for (const one of stages) {
    one.write('conf', `<target ${iqn}>\ninitiator-name iqn.1994-05.com.redhat:client1\n</target>\n`);
    said.push((await one.play('tgt-admin -c @/conf -p -e')).said);
  }
  expect(said[0]!.filter((line) => !said[1]!.includes(line))).toEqual([expect.stringMatching(/--tid 1 -I ALL$/)]);
  expect(said[1]!.filter((line) => !said[0]!.includes(line))).toEqual([]);
});

test('tgt-setup-lun', withProgram, async () => {
  const stages = [await stage('theirs'), await stage('ours')];
  for (const [line, input] of [
    ['tgt-setup-lun -n one -d @/a'],
    ['tgt-setup-lun -n one -d @/b 192.0.2.7', 'yes\n'],
    ['tgt-setup-lun -n one -d @/c', 'no\n'],
    [`tgt-setup-lun -n ${iqn} -d @/c -b aio -B 4096 -C 0 192.0.2.7 192.0.2.8`],
    ['tgt-setup-lun -n three -d @/nosuch'],
    ['tgt-setup-lun -n four'],
    ['tgtadm --op show --mode target'],
  ] as const) {
    const [theirs, ours] = [await stages[0]!.play(line, input), await stages[1]!.play(line, input)];
    expect(ours).toEqual(theirs);
  }
});
