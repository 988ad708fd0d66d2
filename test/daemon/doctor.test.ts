// The findings of doctor in the machine around a configuration: boots, mounts, devices, addresses, room. The machine is a folder of files; the
// disks are real. Not here: findings in the configuration itself (test/shell/doctor.test.ts).

import { mkdirSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { doctorChecks, examineHost } from '../../src/daemon/doctor.ts';
import { Machine } from '../../src/daemon/machine.ts';
import { needs } from '../support/needs.ts';
import { ownShell } from '../support/own-shell.ts';
import { attachLoopDevice, detachLoopDevice } from '../support/scratch.ts';
import { iqn, temporaryDirectory } from '../support/tcli.ts';

/** Files of a machine, by path; the content '/' makes a folder. */
type Files = Readonly<Record<string, string>>;

const systemd: Files = { 'run/systemd/system': '/' };
const mountLine = (point: string, type: string) => `36 35 98:0 / ${point} rw,noatime shared:1 - ${type} /dev/root rw\n`;

async function disk() {
  const shell = await ownShell();
  const folder = temporaryDirectory('/var/tmp');
  const medium = join(folder, 'disk0.img');
  writeFileSync(medium, Buffer.alloc(1 << 20));
  const run = async (...lines: string[]) => expect(await shell.run(...lines)).not.toContain('E| ');
  await run(`/backstores/fileio create disk0 ${medium}`);
  const machine = (files: Files, addresses = ['192.0.2.1', '192.0.2.2']) => {
    const root = join(folder, 'machine');
    for (const [path, content] of Object.entries(files)) {
      const at = join(root, path);
      mkdirSync(content === '/' ? at : dirname(at), { recursive: true });
      if (content !== '/') writeFileSync(at, content);
    }
    return new Machine(root, addresses);
  };
  const findings = async (check: string, on: Machine) => {
    expect(doctorChecks).toContain(check);
    return (await examineHost(shell.host, on))
      .filter((one) => one.check === check)
      .map(({ check: _, ...rest }) => rest);
  };
  return { folder, run, machine, findings, home: shell.directory, host: shell.host };
}

it('boot: on a machine without systemd nothing is said', async () => {
  const { machine, findings } = await disk();
  expect(await findings('boot', machine({}))).toEqual([]);
});

it('boot: a home of its own has to be named by a unit', async () => {
  const { machine, findings, home } = await disk();
  expect(
    await findings('boot', machine({ ...systemd, 'etc/systemd/system/tcli.service': 'ExecStart=tcli serve' })),
  ).toEqual([
    {
      level: 'advice',
      says: expect.stringContaining(`no unit of systemd serves ${home}`),
      mend: `systemctl edit tcli.service, and there: [Service] Environment=TCLI_HOME=${home}`,
    },
  ]);
  const dropIn = (lines: string) =>
    findings('boot', machine({ 'etc/systemd/system/tcli.service.d/home.conf': `[Service]\n${lines}\n` }));
  for (const line of [
    `# Environment=TCLI_HOME=${home}`,
    `Environment=TCLI_HOME=${home}2`,
    `ExecStart=a --home ${home}/b`,
  ])
    expect(await dropIn(line)).toHaveLength(1);
  for (const line of [
    `Environment=TCLI_HOME=${home}`,
    `Environment="TCLI_HOME=${home}/"`,
    `ExecStart=a --home ${home} b`,
  ])
    expect(await dropIn(line)).toEqual([]);
});

it("boot: root's configuration, whose unit is absent, written, or enabled", async () => {
  const { machine, findings, host } = await disk();
  Object.assign(host, { home: { ...host.home, saveFile: '/etc/tcli/saveconfig.json' } });
  expect(await findings('boot', machine(systemd))).toMatchObject([
    { level: 'problem', mend: 'tcli daemon install --yes' },
  ]);
  expect(await findings('boot', machine({ 'usr/lib/systemd/system/tcli.service': '' }))).toMatchObject([
    { level: 'problem', mend: 'systemctl enable tcli.service tcli.socket' },
  ]);
  const enabled = { 'etc/systemd/system/multi-user.target.wants/tcli.service': '' };
  expect(await findings('boot', machine(enabled))).toEqual([]);
});

it.each(['tmpfs', 'ramfs'])('survives a boot: a file on %s', async (type) => {
  const { folder, machine, findings } = await disk();
  const mounts = { 'proc/self/mountinfo': mountLine('/', 'ext4') + mountLine(realpathSync(folder), type) };
  expect(await findings('survives a boot', machine(mounts))).toMatchObject([
    {
      level: 'problem',
      says: expect.stringContaining(`is on ${type} (${folder})`),
      mend: '/backstores/fileio/disk0 replace FILE',
    },
  ]);
});

it('survives a boot: a device has the name that stays with it', needs('loop devices'), async () => {
  const { folder, run, machine, findings } = await disk();
  const device = attachLoopDevice(join(folder, 'disk0.img'));
  onTestFinished(() => detachLoopDevice(device));
  await run('/backstores/fileio delete disk0', `/backstores/block create vol ${device}`);
  const names = join(folder, 'machine/dev/disk/by-id');
  const says = (name: string) => [
    {
      level: 'advice',
      says: `/backstores/block/vol names ${device}, which may be another disk after a boot: ${name} stays with it`,
      mend: 'ls -l /dev/disk/by-id',
    },
  ];
  expect(await findings('survives a boot', machine({}))).toEqual(says('a name under /dev/disk/by-id'));
  mkdirSync(names, { recursive: true });
  for (const name of ['wwn-0x1', 'scsi-SLONG_NAME_0001']) symlinkSync(device, join(names, name));
  expect(await findings('survives a boot', machine({}))).toEqual(says(`${names}/wwn-0x1`));
  await run('/backstores/block delete vol', `/backstores/block create vol ${names}/wwn-0x1`);
  expect(await findings('survives a boot', machine({}))).toEqual([]);
});

it.each([
  ['of the network', 'nfs4', 'server:/x POINT nfs4 defaults 0 0', 'may mount later', 'RequiresMountsFor='],
  ['that a boot does not wait for', 'xfs', 'UUID=1 POINT xfs nofail 0 0', 'may mount later', 'RequiresMountsFor='],
  ['that was mounted by hand', 'xfs', '# UUID=1 POINT xfs defaults 0 0', 'nothing mounts', 'findmnt --fstab'],
])('mounts: a file system %s', async (_, type, fstab, says, mend) => {
  const { folder, machine, findings } = await disk();
  const point = realpathSync(folder);
  const files = { 'proc/self/mountinfo': mountLine('/', 'ext4') + mountLine(point, type) };
  const line = (text: string) => ({ 'etc/fstab': `${text.replace('POINT', point)}\n` });
  expect(await findings('mounts', machine({ ...systemd, ...files, ...line(fstab) }))).toMatchObject([
    { level: 'advice', says: expect.stringContaining(says), mend: expect.stringContaining(mend) },
  ]);
  if (type !== 'nfs4') expect(await findings('mounts', machine(line(`UUID=1 POINT ${type} defaults 0 2`)))).toEqual([]);
});

it('mounts: a unit that a generator made mounts it before tcli starts', async () => {
  const { folder, machine, findings } = await disk();
  const point = realpathSync(folder);
  const files = { ...systemd, 'proc/self/mountinfo': mountLine('/', 'ext4') + mountLine(point, 'xfs') };
  expect(await findings('mounts', machine(files))).toMatchObject([{ says: expect.stringContaining('nothing mounts') }]);
  const unit = `${point.slice(1).replaceAll('-', '\\x2d').replaceAll('/', '-')}.mount`;
  expect(await findings('mounts', machine({ [`run/systemd/generator/${unit}`]: '' }))).toEqual([]);
});

it('second path: one address of this machine behind a portal for all of them', async () => {
  const { run, machine, findings } = await disk();
  await run(`/iscsi create ${iqn}`, `/iscsi/${iqn}/tpg1/luns create /backstores/fileio/disk0`);
  expect(await findings('second path', machine({}))).toEqual([]);
  expect(await findings('second path', machine({}, ['192.0.2.1']))).toMatchObject([
    {
      says: expect.stringContaining('is reached by one address, 192.0.2.1'),
      mend: `/iscsi/${iqn}/tpg1/portals create ADDRESS`,
    },
  ]);
});
