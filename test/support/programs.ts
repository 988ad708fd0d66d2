/** The programs that tests run beside the target, each with the Debian packages it comes from. `.ci/run` installs them all. */
export const packagesOf = {
  bash: 'bash',
  cc: 'gcc libc6-dev',
  chromium: 'chromium',
  // Where its server is, which PATH does not know.
  'cockpit-bridge': 'cockpit-bridge cockpit-ws',
  corosync: 'corosync',
  ceph: 'ceph-common',
  // With ceph-authtool and monmaptool.
  'ceph-mgr': 'ceph-mgr',
  'ceph-mon': 'ceph-mon ceph-base',
  'ceph-osd': 'ceph-osd',
  'cinder-rtstool': 'cinder-common',
  buildah: 'buildah',
  crun: 'crun',
  dd: 'coreutils',
  'docker-compose': 'docker-compose',
  debootstrap: 'debootstrap',
  etcd: 'etcd-server',
  etcdctl: 'etcd-client',
  // The library that makes the clock of a process wrong.
  faketime: 'faketime libfaketime',
  fio: 'fio',
  fish: 'fish',
  flock: 'util-linux',
  groff: 'groff',
  mandoc: 'mandoc',
  mmdebstrap: 'mmdebstrap',
  // The architecture of which packages are tried that this machine does not have.
  'qemu-aarch64-static': 'qemu-user-static',
  'systemd-nspawn': 'systemd-container',
  'iscsi-inq': 'libiscsi-bin',
  'iscsi-ls': 'libiscsi-bin',
  'iscsi-perf': 'libiscsi-bin',
  'iscsi-readcapacity16': 'libiscsi-bin',
  'iscsi-test-cu': 'libiscsi-bin',
  losetup: 'mount',
  mke2fs: 'e2fsprogs',
  ip: 'iproute2',
  'mkfs.ext4': 'e2fsprogs',
  'mkfs.xfs': 'xfsprogs',
  mount: 'mount',
  // ocf-tester is the field's own tester of agents; the agents' network part needs iproute2.
  'ocf-tester': 'resource-agents iproute2',
  pacemakerd: 'pacemaker pacemaker-cli-utils kmod',
  'nbd-client': 'nbd-client',
  nbdcopy: 'libnbd-bin',
  nbdfuse: 'libnbd-bin fuse3',
  nbdinfo: 'libnbd-bin',
  nbdkit: 'nbdkit',
  nft: 'nftables',
  openssl: 'openssl',
  pgrep: 'procps',
  prometheus: 'prometheus',
  promtool: 'prometheus',
  rbd: 'ceph-common librbd1',
  python3: 'python3-minimal',
  // Packages are made by them.
  rpm2cpio: 'rpm2cpio cpio',
  rpmbuild: 'rpm',
  'tgt-admin': 'tgt libconfig-general-perl sg3-utils',
  'tgt-setup-lun': 'tgt',
  tgtadm: 'tgt',
  tgtd: 'tgt',
  // The second has its driver for iSCSI.
  'qemu-img': 'qemu-utils qemu-block-extra',
  'qemu-io': 'qemu-utils qemu-block-extra',
  'qemu-nbd': 'qemu-utils',
  'qemu-storage-daemon': 'qemu-utils',
  // The package brings the firmware along.
  'qemu-system-x86_64': 'qemu-system-x86',
  setpriv: 'util-linux',
  strace: 'strace',
  'systemd-analyze': 'systemd',
  'systemd-socket-activate': 'systemd',
  // With rtslib, which it is a small part of.
  targetctl: 'python3-rtslib-fb',
  xmllint: 'libxml2-utils',
  zsh: 'zsh',
} as const;

export type Program = keyof typeof packagesOf;

/** Every package, once. */
export const packages = (): string[] => [...new Set(Object.values(packagesOf).flatMap((names) => names.split(' ')))];
