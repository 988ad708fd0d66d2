// Disks of macOS by what diskutil prints. It was never run on a Mac; what is printed is taken from published outputs: disk0 and its
// partitions, macOS in VirtualBox, from the tests of github.com/hamishmb/getdevinfo (getdevinfo/tests.py); disk1, OS X 10.12 with a
// Fusion Drive, from github.com/balena-io-modules/drivelist/issues/258; disk3s7, from github.com/DeterminateSystems/nix-installer/issues/1487.
// Keys that nothing here reads are left out, but for some of each type.

import { expect, test } from 'vitest';
import { macDisk, type RunProgram, usersOfMacDisk } from '../../src/backstore/mac-disk.ts';

const plist = (pairs: string) => `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
${pairs.replace(/^(\w+) (.*)$/gm, '\t<key>$1</key>\n\t$2')}
</dict>
</plist>`;

const disk0 = (id: string, size: number, mount: string, whole: boolean) =>
  plist(`Bootable <false/>
BusProtocol <string>SATA</string>
DeviceBlockSize <integer>512</integer>
DeviceIdentifier <string>${id}</string>
DeviceNode <string>/dev/${id}</string>
FreeSpace <integer>0</integer>
MediaName <string></string>
MountPoint <string>${mount}</string>
ParentWholeDisk <string>disk0</string>
Size <integer>${size}</integer>
SolidState <false/>
TotalSize <integer>${size}</integer>
WholeDisk <${whole}/>
WritableMedia <true/>`);

const printed: Record<string, string> = {
  disk0: disk0('disk0', 42_948_853_248, '', true),
  disk0s1: disk0('disk0s1', 209_715_200, '', false),
  disk0s2: disk0('disk0s2', 42_089_095_168, '/', false),
  disk1: plist(`CoreStoragePVs <array>
\t\t<dict>
\t\t\t<key>CoreStoragePVDisk</key>
\t\t\t<string>disk0s2</string>
\t\t\t<key>CoreStoragePVUUID</key>
\t\t\t<string>74E12A48-A5F7-4849-8169-D2F4C65D153E</string>
\t\t</dict>
\t</array>
DeviceBlockSize <integer>4096</integer>
DeviceIdentifier <string>disk1</string>
DeviceNode <string>/dev/disk1</string>`),
  disk3s7: plist(`AESHardware <true/>
APFSPhysicalStores <array>
\t\t<dict>
\t\t\t<key>APFSPhysicalStore</key>
\t\t\t<string>disk0s2</string>
\t\t</dict>
\t</array>
DeviceBlockSize <integer>4096</integer>
DeviceIdentifier <string>disk3s7</string>
DeviceNode <string>/dev/disk3s7</string>
ParentWholeDisk <string>disk3</string>`),
};

/** A Mac on which these lines of mount(8) are printed. */
const mac =
  (...mounts: string[]): RunProgram =>
  (program, ...words) =>
    program === '/sbin/mount' ? `${mounts.join('\n')}\n` : printed[words.at(-1) ?? ''];

const root = '/dev/disk0s2 on / (hfs, local, journaled)';

test('size, block size and whether it turns, by the name of the disk and by its raw name', () => {
  for (const path of ['/dev/disk0', '/dev/rdisk0'])
    expect(macDisk(path, mac())).toMatchObject({
      ...{ name: 'disk0', folder: '/dev/disk0', disk: '/dev/disk0', size: 42_948_853_248 },
      ...{ logicalBlockSize: 512, readOnly: false, rotational: true, volatileCache: true },
    });
  expect(macDisk('/dev/disk0s1', mac())).toMatchObject({ name: 'disk0s1', disk: '/dev/disk0', size: 209_715_200 });
  expect(macDisk('/dev/rdisk1', mac())).toMatchObject({ logicalBlockSize: 4096, rotational: false });
});

test.each(['/dev/null', '/dev/disk9', '/tmp/disk0', '/dev/disk0; true', '/dev/sda'])('%s is no disk', (path) => {
  expect(macDisk(path, mac())).toBeUndefined();
});

test('a disk is in use while a part of it is mounted, or a container on it: partitions, APFS, Core Storage', () => {
  expect(usersOfMacDisk('/dev/disk0s2', mac(root))).toEqual(['The running system is on it.']);
  expect(usersOfMacDisk('/dev/rdisk0', mac(root))).toEqual(['The running system is on it.']);
  expect(usersOfMacDisk('/dev/disk0s1', mac(root))).toEqual([]);
  const nix = mac('/dev/disk3s7 on /Volumes/Nix Store (apfs, local)', 'map auto_home on /home (autofs)');
  const how = ["It is mounted on /Volumes/Nix Store: diskutil unmount '/Volumes/Nix Store'"];
  for (const path of ['/dev/disk3s7', '/dev/disk3', '/dev/disk0s2', '/dev/rdisk0'])
    expect([path, usersOfMacDisk(path, nix)]).toEqual([path, how]);
  for (const path of ['/dev/disk0s1', '/dev/disk30', '/dev/disk1']) expect(usersOfMacDisk(path, nix)).toEqual([]);
  expect(usersOfMacDisk('/dev/disk0', mac('/dev/disk1 on / (hfs, local)'))).toEqual(['The running system is on it.']);
});

test('an output that is none means that there is no disk', () => {
  for (const text of ['', 'Could not find disk: disk5', '<plist><dict><key>Size</key>', '<plist></plist>'])
    expect(macDisk('/dev/disk5', () => text)?.size ?? 0).toBe(0);
});
