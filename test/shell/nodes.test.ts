/** The output and the effect of the commands of each kind of node. Not tested here: the checks of the operations themselves (test/root). */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { rootNode } from '../../shell/nodes/root.ts';
import { ownShell, type TestShell } from '../support/own-shell.ts';

let shell: TestShell;
let file: string;

beforeEach(async () => {
  shell = await ownShell();
  file = join(shell.directory, 'f1.img');
});

/** The first line of what each line prints. */
const firsts = async (lines: readonly string[]) => {
  const said: (string | undefined)[] = [];
  for (const line of lines) said.push((await shell.run(line)).split('\n', 1)[0]);
  return said;
};
const says = async (pairs: readonly (readonly [line: string, first: string])[]) => {
  expect(await firsts(pairs.map(([line]) => line))).toEqual(pairs.map(([, first]) => first));
};

const iqn = 'iqn.2003-01.org.example:t1';
const target = `/iscsi/${iqn}`;
const tpg = `${target}/tpg1`;
const client = 'iqn.1994-05.com.redhat:client1';
const acl = `${tpg}/acls/${client}`;
const rd = (name: string) => `/backstores/ramdisk create ${name} 16M`;

describe('as targetcli: storage objects', () => {
  test('fileio', async () => {
    await says([
      [`/backstores/fileio create f1 ${file}`, 'E| Attempting to create file for new fileio backstore, need a size'],
      [`/backstores/fileio create f1 ${file} 8M`, 'Created fileio f1 with size 8388608'],
      [`/backstores/fileio create f1 ${file} 8M`, 'E| Storage object fileio/f1 exists'],
      [`/backstores/fileio create f2 ${file} 8M`, `E| storage object for ${file} already exists: f1`],
      [
        `/backstores/fileio create a/b ${file}2 8M`,
        "E| A storage object's name cannot contain  /, newline or spaces/tabs",
      ],
      ['/backstores/fileio delete nosuch', 'E| No storage object named nosuch.'],
      ['/backstores/fileio delete f1', 'Deleted storage object f1.'],
      [`/backstores/fileio create f1 ${file} 1M`, `${file} exists, using its size (8388608 bytes) instead`],
    ]);
    expect(await shell.run('/backstores/fileio/f1 info')).toMatch(
      /^aio: False\ndev: .*f1\.img\nname: f1\nplugin: fileio\nsize: 8388608\nwrite_back: True\nwwn: [0-9a-f-]{36}\n$/,
    );
    expect(await shell.run('/backstores/fileio/f1 status')).toBe(
      `Status for /backstores/fileio/f1: ${file} (8.0MiB) write-back deactivated\n`,
    );
  });

  test('a new object carries its name as model, unless the preference is off', async () => {
    await shell.run(rd('rd0'), 'set global export_backstore_name_as_model=false', rd('rd1'));
    expect(await shell.run('/backstores/ramdisk/rd0 get attribute emulate_model_alias')).toBe(
      'emulate_model_alias=1 \n',
    );
    expect(await shell.run('/backstores/ramdisk/rd1 get attribute emulate_model_alias')).toBe(
      'emulate_model_alias=0 \n',
    );
  });

  test('a name that no path can spell is typed in quotes', async () => {
    await shell.run('/backstores/ramdisk create "a+b" 1M');
    expect(await shell.run('/backstores/ramdisk/"a+b" status', 'cd "/backstores/ramdisk/a+b"', 'pwd')).toBe(
      'Status for /backstores/ramdisk/a+b: (1.0MiB) deactivated\n/backstores/ramdisk/a+b\n',
    );
  });

  test('deleting one takes its LUNs and mapped LUNs along', async () => {
    await shell.run(rd('rd0'), `/iscsi create ${iqn}`, `${tpg}/acls create ${client}`);
    await shell.run(`${tpg}/luns create /backstores/ramdisk/rd0`);
    await says([
      ['/backstores/ramdisk delete rd0', 'Deleted storage object rd0.'],
      [`${tpg}/luns status`, `Status for ${tpg}/luns: LUNs: 0`],
      [`${acl} status`, `Status for ${acl}: Mapped LUNs: 0`],
    ]);
  });

  test('one whose medium is gone is shown as missing', async () => {
    await shell.run(`/backstores/fileio create f1 ${file} 8M`);
    const object = shell.host.root.tree.storageObject('/backstores/fileio/f1')!;
    object.missing = 'no such file or directory';
    shell.session.setTerminal({ columns: 80, color: true, interactive: false });
    expect(await shell.run('/backstores/fileio/f1 ls depth=-1')).toContain('\x1b[1m\x1b[31m');
    expect(await shell.run('/backstores/fileio/f1 info')).toContain('missing: no such file or directory');
  });

  test('saveconfig of one, and delete with save=true', async () => {
    await shell.run(rd('rd0'));
    await says([
      [
        '/backstores/ramdisk/rd0 saveconfig',
        `Storage Object 'ramdisk:rd0' config saved to ${join(shell.directory, 'saveconfig.json')}.`,
      ],
      ['/backstores/ramdisk/rd0 version', 'Backstore plugin ramdisk v5.0'],
      ['/backstores/ramdisk delete rd0 save=true', 'Deleted storage object rd0.'],
    ]);
    expect(shell.host.unsavedOperations).toBe(0);
  });
});

describe('as targetcli: targets', () => {
  test('a target comes with an enabled TPG, no authentication and a portal', async () => {
    expect(await shell.run(`/iscsi create ${iqn}`, `${tpg} ls`)).toBe(
      [
        `Created target ${iqn}.`,
        'Created TPG 1.',
        'Global pref auto_add_default_portal=true',
        'Created default portal listening on all IPs (0.0.0.0), port 3260.',
        'o- tpg1 ..................................................................................................... [no-gen-acls, no-auth]',
        '  o- acls ................................................................................................................ [ACLs: 0]',
        '  o- luns ................................................................................................................ [LUNs: 0]',
        '  o- portals .......................................................................................................... [Portals: 1]',
        '    o- 0.0.0.0:3260 ........................................................................................................... [OK]',
        '',
      ].join('\n'),
    );
  });

  test('without the preferences: neither portal nor enabled', async () => {
    await shell.run('set global auto_add_default_portal=false auto_enable_tpgt=false');
    expect(await shell.run(`/iscsi create ${iqn}`, `${tpg} status`, `${tpg}/portals status`)).toBe(
      `Created target ${iqn}.\nCreated TPG 1.\nStatus for ${tpg}: disabled\nStatus for ${tpg}/portals: Portals: 0\n`,
    );
  });

  test('names', async () => {
    const [, made] = /^Created target (.*)\.$/m.exec(await shell.run('/iscsi create'))!;
    expect(made).toMatch(/^iqn\.2003-01\.org\.linux-iscsi\.[\w-]+\.\w+:sn\.[0-9a-f]{12}$/);
    await says([
      ['/iscsi create iqn.2026-01.com.example:UPPER', 'Created target iqn.2026-01.com.example:upper.'],
      ['/iscsi create iqn.2026-01.com.example:upper', 'E| This Target already exists in configFS'],
      ['/iscsi create bad_name', 'E| WWN not valid as: iqn, naa, eui'],
      [
        '/iscsi delete eui.02004567A425678D',
        'E| No such Target in configfs: /sys/kernel/config/target/iscsi/eui.02004567A425678D',
      ],
      ['/iscsi delete iqn.2026-01.com.example:upper', 'Deleted Target iqn.2026-01.com.example:upper.'],
      ['/loopback create 50:01:40:51:23:45:67:ab', 'Created target naa.50014051234567ab.'],
      ['/loopback create iqn.2026-01.com.example:x', 'E| WWN not valid as: naa'],
    ]);
  });

  test('TPGs', async () => {
    await shell.run(`/iscsi create ${iqn}`);
    expect(await shell.run(`${target} create`)).toBe(
      'Created TPG 2.\nDefault portal not created, TPGs within a target cannot share ip:port.\n',
    );
    await says([
      [`${target} create tpg5`, 'Created TPG 5.'],
      [`${target} create 5`, 'E| This TPG already exists in configFS'],
      [`${target} create abc`, 'E| Tag argument must be a number.'],
      [`${target} create -1`, 'E| The TPG Tag must be >=0'],
      [`${target} delete tpg5`, 'Deleted TPGT 5.'],
      [`${target} delete 77`, `E| No such TPG in configfs: /sys/kernel/config/target/iscsi/${iqn}/tpgt_77`],
      [`${target} info`, 'fabric: iscsi'],
      [`${tpg} disable`, 'The TPGT has been disabled.'],
      [`${tpg} disable`, 'The TPGT is already disabled.'],
      [`${tpg} status`, `Status for ${tpg}: disabled`],
      [`${tpg} enable`, 'The TPGT has been enabled.'],
      [`${tpg} enable`, 'The TPGT is already enabled.'],
    ]);
    await shell.run(`${tpg} set auth userid=u password=p`);
    expect(await shell.run(`${tpg} info`)).toBe('chap_password: ***\nchap_userid: u\nenable: True\ntag: 1\n');
  });

  test('as targetcli: what is shown of authentication; a demand that admits nobody is shown as such', async () => {
    await shell.run(`/iscsi create ${iqn}`, `${tpg}/acls create ${client}`);
    const status = async (path: string) => (await shell.run(`${path} status`)).trim().split(': ').slice(1).join(': ');
    const both = async (line: string) => {
      await shell.run(line);
      return [await status(tpg), await status(acl)];
    };
    expect(await both(`${tpg} set attribute authentication=1`)).toEqual([
      'no-gen-acls, auth per-acl',
      '1-way auth, Mapped LUNs: 0',
    ]);
    expect(await both(`${acl} set auth userid=a password=b mutual_userid=c mutual_password=d`)).toEqual([
      'no-gen-acls, auth per-acl',
      'mutual auth, Mapped LUNs: 0',
    ]);
    expect(await both(`${tpg} set attribute generate_node_acls=1`)).toEqual([
      'gen-acls, tpg-auth, admits nobody',
      'auth via tpg, Mapped LUNs: 0',
    ]);
    expect(await both(`${tpg} set attribute authentication=0`)).toEqual(['gen-acls, no-auth', 'Mapped LUNs: 0']);
    expect(await shell.run('/iscsi set discovery_auth enable=1 userid=u')).toBe(
      "Parameter enable is now 'True'.\nParameter userid is now 'u'.\n",
    );
    expect(await status('/iscsi')).toBe('disc auth admits nobody, Targets: 1');
    expect(rootNode(shell.host).child('iscsi')?.summary().healthy).toBe(false);
    expect(await shell.run('/iscsi set discovery_auth password=p enable=maybe')).toBe(
      "Parameter password is now '***'.\nE| Not setting enable! Syntax error, 'maybe' is not a NUMBER.\n",
    );
    expect(rootNode(shell.host).child('iscsi')?.summary().healthy).toBe(true);
  });
});

describe('as targetcli: LUNs and ACLs', () => {
  beforeEach(async () => {
    await shell.run(rd('rd0'), rd('rd1'), rd('rd2'), `/iscsi create ${iqn}`);
  });

  test('LUNs', async () => {
    await says([
      [`${tpg}/luns create /backstores/ramdisk/rd0`, 'Created LUN 0.'],
      [`${tpg}/luns create /backstores/ramdisk/rd0`, 'E| lun for storage object ramdisk/rd0 already exists'],
      [`${tpg}/luns create ../../../../backstores/ramdisk/rd1 lun7`, 'Created LUN 7.'],
      [`${tpg}/luns create /backstores/ramdisk/rd2 7`, 'E| This LUN already exists in configFS'],
      [`${tpg}/luns create /backstores/ramdisk/rd2 65536`, 'E| LUN must be 0 to 65535'],
      [`${tpg}/luns create /backstores/ramdisk/nosuch`, 'E| storage object or path not valid'],
      [`${tpg}/luns create /backstores`, 'E| storage object or path not valid'],
      [`${tpg}/luns create ${shell.directory}`, 'E| storage object or path not valid'],
      [`${tpg}/luns/lun7 status`, `Status for ${tpg}/luns/lun7: ramdisk/rd1 (default_tg_pt_gp)`],
      [`${tpg}/luns delete lun7`, 'Deleted LUN 7.'],
      [`${tpg}/luns delete 7`, 'E| Invalid LUN'],
    ]);
    expect(await shell.run(`${tpg}/luns/lun0 info`)).toMatch(
      /^alias: [0-9a-f]{10}\nalua_tg_pt_gp_name: default_tg_pt_gp\nindex: 0\nstorage_object: \/backstores\/ramdisk\/rd0\n$/,
    );
  });

  test('a file becomes a storage object', async () => {
    writeFileSync(file, Buffer.alloc(65_536));
    const name = file.slice(1).replaceAll('/', '-');
    expect(await shell.run(`${tpg}/luns create ${file}`, `${tpg}/luns/lun0 status`)).toBe(
      `Created storage object ${name}.\nCreated LUN 0.\nStatus for ${tpg}/luns/lun0: fileio/${name} (${file}) (default_tg_pt_gp)\n`,
    );
  });

  test('auto_add_mapped_luns=false: a new LUN is mapped in no ACL, and a new ACL maps no LUN', async () => {
    await shell.run(`${tpg}/luns create /backstores/ramdisk/rd0`, 'set global auto_add_mapped_luns=false');
    await shell.run(`${tpg}/acls create ${client}`, `${tpg}/luns create /backstores/ramdisk/rd1`);
    expect(await shell.run(`${tpg}/acls/${client} status`)).toContain('Mapped LUNs: 0');
  });

  test('a new LUN is mapped in every ACL: under its number if that was said, else under the lowest free one', async () => {
    await shell.run(`${tpg}/acls create ${client}`);
    expect(
      await shell.run(
        `${tpg}/luns create /backstores/ramdisk/rd0 5`,
        `${tpg}/luns create /backstores/ramdisk/rd1`,
        `${tpg}/luns create /backstores/ramdisk/rd2 add_mapped_luns=false`,
      ),
    ).toBe(
      [
        'Created LUN 5.',
        `Created LUN 5->5 mapping in node ACL ${client}`,
        'Created LUN 0.',
        `Created LUN 0->0 mapping in node ACL ${client}`,
        'Created LUN 1.',
        '',
      ].join('\n'),
    );
  });

  test('a number that an ACL uses already is no reason to fail', async () => {
    await shell.run(`${tpg}/luns create /backstores/ramdisk/rd0`, `${tpg}/acls create ${client} false`);
    await shell.run(`${acl} create 3 0`);
    expect(await shell.run(`${tpg}/luns create /backstores/ramdisk/rd1 3`)).toBe(
      `Created LUN 3.\nCannot map new lun 3 into ACL ${client}: This MappedLUN already exists in configFS\n`,
    );
  });

  test('ACLs', async () => {
    await shell.run(`${tpg}/luns create /backstores/ramdisk/rd0 9`, `${tpg}/luns create /backstores/ramdisk/rd1 10`);
    expect(await shell.run(`${tpg}/acls create IQN.1994-05.com.redhat:client1`)).toBe(
      `Created Node ACL for ${client}\nCreated mapped LUN 10.\nCreated mapped LUN 9.\n`,
    );
    await says([
      [`${tpg}/acls create ${client}`, 'E| This NodeACL already exists in configFS'],
      [`${tpg}/acls create bad`, 'E| WWN not valid as: iqn, naa, eui'],
      [`${acl} info`, 'wwns:'],
      [`${acl} set auth userid=alice`, "Parameter userid is now 'alice'."],
      [
        `${acl} set attribute dataout_timeout=999`,
        'E| Cannot set attribute dataout_timeout: [Errno 22] Invalid argument',
      ],
      [`${tpg}/acls delete ${client}`, `Deleted Node ACL ${client}.`],
    ]);
  });

  test('mapped LUNs', async () => {
    await shell.run(`${tpg}/luns create /backstores/ramdisk/rd0`, `${tpg}/acls create ${client} false`);
    await says([
      [`${acl} create 0 0 true`, 'Created Mapped LUN 0.'],
      [`${acl} create 20 lun0 1`, 'Warning: TPG LUN 0 already mapped to this NodeACL'],
      [`${acl} create 20 lun0`, 'Warning: TPG LUN 0 already mapped to this NodeACL'],
      [`${acl} create 0 lun1`, 'E| LUN 1 does not exist in this TPG'],
      [`${acl} create 21 55`, 'E| LUN 55 does not exist in this TPG'],
      [`${acl} create 22 /backstores/ramdisk/rd1`, 'Created LUN 1.'],
      [`${acl} create abc 0`, 'E| mapped_lun must be an integer'],
      [`${acl} create 23 nosuch`, 'E| LUN, storage object, or path not valid'],
      [`${acl}/mapped_lun0 status`, `Status for ${acl}/mapped_lun0: lun0 ramdisk/rd0 (ro)`],
      [`${acl}/mapped_lun22 status`, `Status for ${acl}/mapped_lun22: lun1 ramdisk/rd1 (rw)`],
      [`${acl} delete mapped_lun0`, 'E| The mapped_lun parameter must be an integer value'],
      [`${acl} delete 0`, 'Deleted Mapped LUN 0.'],
    ]);
    expect(await shell.run(`${acl}/mapped_lun20 info`)).toMatch(
      /^alias: [0-9a-f]{10}\nindex: 20\ntpg_lun: 0\nwrite_protect: True\n$/,
    );
  });

  test('a tag makes ACLs one node; who joins takes over what the first has', async () => {
    const other = 'iqn.1994-05.com.redhat:client2';
    const group = `${tpg}/acls/web`;
    await shell.run(`${tpg}/luns create /backstores/ramdisk/rd0`, `${tpg}/acls create ${client}`);
    await shell.run(`${tpg}/acls create ${other} false`, `${acl} set auth userid=u password=p`);
    expect(await shell.run(`${tpg}/acls tag ${client} web`, `${group} status`)).toBe(
      `Status for ${group}: (${client}), Mapped LUNs: 1\n`,
    );
    expect(await shell.run(`${tpg}/acls tag ${other} web`, `${group} status`, `${group} info`)).toBe(
      `Status for ${group}: (group of 2), Mapped LUNs: 1\nchap_password: ***\nchap_userid: u\ntag: web\nwwns:\n${client}\n${other}\n`,
    );
    await shell.run(`${group} create 7 0`, `${group} set attribute nopin_timeout=20`, `${tpg}/acls untag web`);
    for (const path of [acl, `${tpg}/acls/${other}`])
      expect(await shell.run(`${path} get attribute nopin_timeout`, `${path} status`)).toBe(
        `nopin_timeout=20 \nStatus for ${path}: Mapped LUNs: 2\n`,
      );
    expect(await shell.run(`${tpg}/acls tag nosuch web`, `${tpg}/acls tag ${client} a.b`)).toBe(
      "E| wwn_or_tag nosuch not found.\nE| '.' not permitted in tag names.\n",
    );
  });
});

test('as targetcli: portals', async () => {
  await shell.run('set global auto_add_default_portal=false', `/iscsi create ${iqn}`);
  expect(await shell.run(`${tpg}/portals create`)).toBe(
    'Using default IP port 3260\nBinding to INADDR_ANY (0.0.0.0)\nCreated network portal 0.0.0.0:3260.\n',
  );
  expect(await shell.run(`${tpg}/portals create 0.0.0.0 3260`)).toBe(
    'Binding to INADDR_ANY (0.0.0.0)\nE| This NetworkPortal already exists in configFS\n',
  );
  await says([
    // LIO does so, too, also where the address was given.
    [`${tpg}/portals create 0.0.0.0 3261`, 'Binding to INADDR_ANY (0.0.0.0)'],
    [`${tpg}/portals create ::1 3263`, 'Created network portal ::1:3263.'],
    [`${tpg}/portals create [::2] 3263`, 'Created network portal ::2:3263.'],
    [`${tpg}/portals/[::2]:3263 status`, `Status for ${tpg}/portals/[::2]:3263: `],
    [`${tpg}/portals create name.example 3260`, 'E| Could not create NetworkPortal in configFS'],
    [`${tpg}/portals create 127.0.0.2 99999`, 'E| Could not create NetworkPortal in configFS'],
    [`${tpg}/portals create 127.0.0.2 abc`, "E| Syntax error, 'abc' is not a NUMBER."],
    [
      `${tpg}/portals delete 1.1.1.1 3260`,
      `E| No such NetworkPortal in configfs: /sys/kernel/config/target/iscsi/${iqn}/tpgt_1/np/1.1.1.1:3260`,
    ],
    [`${tpg}/portals/0.0.0.0:3260 enable_iser false`, 'iSER enable now: False'],
    [`${tpg}/portals/0.0.0.0:3260 enable_offload true`, 'E| Cannot change offload'],
    [`${tpg}/portals delete [::1] 3263`, 'Deleted network portal ::1:3263'],
  ]);
  expect(await shell.run(`${tpg}/portals/0.0.0.0:3260 info`)).toBe(
    'ip_address: 0.0.0.0\niser: False\noffload: False\nport: 3260\n',
  );
});

test('a person at a terminal is asked before something goes away under an initiator', async () => {
  await shell.run(rd('rd0'), `/iscsi create ${iqn}`, `${tpg}/luns create /backstores/ramdisk/rd0`);
  const session = { targetWwn: iqn, tpgTag: 1, initiatorWwn: client };
  Object.assign(shell.host.root, { sessions: () => [session] });
  shell.session.setTerminal({ columns: 80, color: false, interactive: true });
  shell.answer = 'no';
  await shell.run(`${tpg}/acls create ${client}`);
  const acts = [
    '/backstores/ramdisk delete rd0',
    `/iscsi delete ${iqn}`,
    `${target} delete 1`,
    `${tpg}/luns delete 0`,
    `${tpg}/acls delete ${client}`,
    `${tpg}/portals delete 0.0.0.0 3260`,
    `${tpg} disable`,
  ];
  const used = `is in use by ${client}`;
  const told = [
    `/backstores/ramdisk/rd0 ${used}, and takes ${tpg}/luns/lun0 along.`,
    ...[target, tpg, `${tpg}/luns/lun0`, acl, `${tpg}/portals/0.0.0.0:3260`, tpg].map((path) => `${path} ${used}.`),
  ];
  expect(await shell.run(...acts)).toBe(told.map((line) => `${line}\n`).join(''));
  expect(shell.questions.map(({ message }) => message)).toEqual([
    ...Array(6).fill('Delete it all the same?'),
    'Disable it all the same?',
  ]);
  shell.answer = 'yes';
  expect(await shell.run('/backstores/ramdisk delete rd0')).toBe(`${told[0]}\nDeleted storage object rd0.\n`);
  shell.session.setTerminal({ columns: 80, color: false, interactive: false });
  expect(await shell.run(`/iscsi delete ${iqn}`)).toBe(`Deleted Target ${iqn}.\n`);
});
