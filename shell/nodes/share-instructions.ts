/** The commands on an initiator that use a shared disk: Linux, QEMU, Windows, ESXi, macOS. */

import { networkInterfaces } from 'node:os';
import { bracketed } from '../../src/index.ts';

interface Shared {
  readonly address: string;
  readonly port: number;
}

export interface SharedTarget {
  readonly address: Shared;
  readonly iqn: string;
  /** The name of the account; '' where none is asked for. */
  readonly userid: string;
  /** The secret; undefined: it was shown before, or was given. */
  readonly secret: string | undefined;
  /** The line that shows the secret. */
  readonly seeSecret: string;
}

/** The instructions for all of them. */
export function instructions({ address: { address, port }, iqn, userid, secret, seeSecret }: SharedTarget): string[] {
  const host = /^(0\.0\.0\.0|[0:]+)$/.test(address) ? outerAddress() : address;
  const at = `${bracketed(host)}:${port}`;
  const word = secret ?? 'SECRET';
  const node = `iscsiadm -m node -T ${iqn} -p ${at}`;
  const update = (name: string, value: string) => `${node} -o update -n node.session.auth.${name} -v ${value}`;
  const chapLinux = [update('authmethod', 'CHAP'), update('username', userid), update('password', word)];
  const chapWindows = ` -AuthenticationType ONEWAYCHAP -ChapUsername ${userid} -ChapSecret ${word}`;
  const login = userid === '' ? '' : `${userid}%${word}@`;
  const chapEsxi = `esxcli iscsi adapter auth chap set -A vmhba64 --direction=uni --level=required --authname=${userid} --secret=${word}`;
  const when = <T>(lines: T[]): T[] => (userid === '' ? [] : lines);
  return [
    ...when([`CHAP user ${userid}, ${secret === undefined ? `its secret: ${seeSecret}` : `secret ${secret}`}`]),
    '',
    'Linux',
    ...indented([`iscsiadm -m discovery -t st -p ${at}`, ...when(chapLinux), `${node} --login`]),
    'QEMU',
    ...indented([`qemu-system-x86_64 -drive file=iscsi://${login}${at}/${iqn}/0,format=raw,if=virtio`]),
    'Windows (PowerShell)',
    ...indented([
      `New-IscsiTargetPortal -TargetPortalAddress ${host} -TargetPortalPortNumber ${port}`,
      `Connect-IscsiTarget -NodeAddress ${iqn}${userid === '' ? '' : chapWindows}`,
    ]),
    'ESXi',
    ...indented([
      'esxcli iscsi software set --enabled=true',
      ...when([chapEsxi]),
      `esxcli iscsi adapter discovery sendtarget add -A vmhba64 -a ${at}`,
      'esxcli storage core adapter rescan -A vmhba64',
    ]),
    'macOS (which has no initiator of its own: brew install qemu)',
    ...indented([`qemu-img info iscsi://${login}${at}/${iqn}/0`]),
  ];
}

const indented = (lines: readonly string[]): string[] => lines.map((line) => `  ${line}`);

/** An address by which others reach this machine; the machine's own where there is no network. */
function outerAddress(): string {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  const usable = all.filter(({ internal, address }) => !internal && !address.startsWith('fe80:'));
  return (usable.find(({ family }) => family === 'IPv4') ?? usable[0])?.address ?? '127.0.0.1';
}
