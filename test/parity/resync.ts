/** Where we answered otherwise on purpose, the lines that make our tree what the recording's was, so that the rest can be compared. */

import type { Operation } from '../../src/index.ts';

interface Resync {
  readonly recording: RegExp;
  /** The line after which it happens, in the recording's names. */
  readonly after: RegExp;
  readonly unix?: string;
  readonly lines: readonly string[];
  /** The operation of a line on a machine that has such a device. */
  readonly operation?: Operation;
  /** The name that the recording has for an object with another name here. */
  readonly called?: readonly [recorded: string, here: string];
}

const disk1 = '/iscsi/iqn.2003-01.org.linux-iscsi.guest.x8664:sn.disk1/tpg1';

export const resyncs: readonly Resync[] = [
  {
    recording: /^oneshot-/,
    after: /^\/backstores\/pscsi create p1 \/dev\/sda$/,
    lines: [],
    operation: {
      path: '/backstores/pscsi',
      verb: 'create',
      params: { name: 'p1', dev: '/dev/sda', settled: { config: { dev: '/dev/sda' }, attributes: {} } },
    },
  },
  // A file system of this machine may hold what that one's could not.
  { recording: /^oneshot-01/, after: /f18 \/srv\/f18\.img 1T$/, lines: ['/backstores/fileio delete f18'] },
  // The recording leaves out how the other targets went away.
  {
    recording: /^oneshot-02/,
    after: /^\/iscsi delete naa\.6001405abcdef0123456789abcdef012$/,
    lines: [
      '/iscsi delete iqn.2003-01.org.linux-iscsi.guest.x8664:sn.43d69fd2336d',
      '/iscsi delete iqn.2026-01.com.example',
      '/iscsi delete iqn.2026-01.com.example:upper',
      '/iscsi delete iqn.2026-01.com.example:upper:case',
      '/iscsi delete iqn.2026-13.com.example:x',
    ],
  },
  {
    recording: /^oneshot-02/,
    after: /TargetAlias="my alias"$/,
    lines: [`${disk1} set parameter TargetAlias="LIO Target"`],
  },
  // A second storage object on the same file: we refuse it, so another file stands for it.
  {
    recording: /^oneshot-02/,
    after: /luns create \/srv\/f1\.img$/,
    lines: [
      '/backstores/fileio create srv-f1.img /srv/f1-again.img 100M false',
      `${disk1}/luns create /backstores/fileio/srv-f1.img`,
    ],
    called: ['/srv/f1.img', '/srv/f1-again.img'],
  },
  {
    recording: /^oneshot-02/,
    after: /portals create 127\.0\.0\.1 3266$/,
    lines: [`${disk1}/portals delete 127.0.0.1 3266`],
  },
  {
    recording: /^oneshot-02/,
    after: /portals delete \[::1\] 3260$/,
    lines: [`${disk1}/portals create ::1 3260`],
  },
  // A file that is missing is made again, empty, by the kernel.
  {
    recording: /^oneshot-03/,
    after: /^restoreconfig$/,
    unix: 'test -e /srv/r1.img || truncate -s 20M /srv/r1.img',
    lines: ['restoreconfig clear_existing=true'],
  },
  { recording: /^oneshot-03/, after: /^restoreconfig \/srv\/gone\.json$/, lines: ['/backstores/fileio delete f2'] },
  // The recorded file and ours list storage objects in another order, and the damage is done to the first ones.
  { recording: /^oneshot-03/, after: /^restoreconfig \/srv\/extra\.json$/, lines: ['/backstores/block delete b1'] },
  {
    recording: /^oneshot-03/,
    after: /^restoreconfig \/srv\/badso\.json$/,
    lines: ['/backstores/ramdisk delete rd2', '/backstores/fileio create f1 /srv/r1.img'],
  },
  {
    recording: /^oneshot-03/,
    after: /^restoreconfig \/srv\/f\.json false nosuch rd1$/,
    lines: ['restoreconfig /srv/f.json true nosuch rd1'],
  },
  { recording: /^pty-cd-navigator/, after: /^cd$/, lines: ['cd /backstores/fileio'] },
];
