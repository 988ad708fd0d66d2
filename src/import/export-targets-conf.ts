/** The targets of iSCSI as a targets.conf for tgt. Settings that tgt cannot say become comments, so that their loss is seen. */

import { randomBytes } from 'node:crypto';
import { labelsOf } from '../operations/labels.ts';
import type { Tree } from '../operations/tree.ts';
import type { FabricState, Lun, Tpg } from '../target/target.ts';

/**
 * Writes a targets.conf. @param secrets whether accounts keep their secrets; otherwise random words stand in their places: a file without
 * any would let everybody in
 */
export function exportTargetsConf(tree: Tree, secrets: boolean): string {
  const state = tree.fabric('iscsi');
  const secretOf: SecretOf = secrets ? escaped : () => randomBytes(9).toString('hex');
  const left = '# The secrets of accounts are random words here; with the real ones: export tgt secrets=true';
  const lines = [...(secrets ? [] : [left]), 'default-driver iscsi', ''];
  for (const userid of state.discoveryAccounts)
    lines.push(`incomingdiscoveryuser ${escaped(userid)} ${secretOf(state.accounts.get(userid))}`);
  const { mutual_userid: user, mutual_password: secret } = state.discoveryAuth;
  if (user !== '') lines.push(`outgoingdiscoveryuser ${escaped(user)} ${secretOf(secret)}`);
  for (const target of state.targets.values()) {
    const [tpg, ...others] = [...target.tpgs.values()].sort((a, b) => a.tag - b.tag);
    if (!tpg) continue;
    lines.push(
      '',
      `<target ${target.wwn}>`,
      ...targetLines(state, tpg, secretOf).map((line) => `    ${line}`),
      '</target>',
    );
    if (others.length > 0) lines.push(`# ${target.wwn} has ${others.length} more TPGs, which tgt does not have`);
  }
  return `${lines.join('\n')}\n`;
}

/** The text for a secret in the file: the secret itself, or a random word. */
type SecretOf = (secret: string | undefined) => string;

/** Escapes signs that have a meaning in the file. */
const escaped = (text: string | undefined): string => (text ?? '').replace(/[$\\"#]/g, '\\$&');

function targetLines(state: FabricState, tpg: Tpg, secretOf: SecretOf): string[] {
  const { auth, accounts, accessList, acls, luns, enabled } = tpg;
  const tid = labelsOf(tpg).get('tid');
  const own = auth.userid === '' ? [] : [`incominguser ${escaped(auth.userid)} ${secretOf(auth.password)}`];
  const names = [...acls.keys()];
  return [
    ...(tid === undefined ? [] : [`controller_tid ${tid}`]),
    ...(enabled ? [] : ['state offline']),
    ...own,
    ...accounts.map((userid) => `incominguser ${escaped(userid)} ${secretOf(state.accounts.get(userid))}`),
    ...(auth.mutual_userid === ''
      ? []
      : [`outgoinguser ${escaped(auth.mutual_userid)} ${secretOf(auth.mutual_password)}`]),
    ...rulesOf(tpg, names),
    ...(accessList && names.length > 0 ? [`# besides, only initiators with an ACL: ${names.join(', ')}`] : []),
    ...[...luns.values()].sort((a, b) => a.index - b.index).flatMap(unitLines),
  ];
}

/** The rules of a target. Where demo mode is off, only initiators come that have an ACL. */
function rulesOf({ accessList, attributes }: Tpg, names: readonly string[]): string[] {
  const isDemo = (attributes.values as { generate_node_acls?: number }).generate_node_acls === 1;
  if (!accessList && isDemo) return ['initiator-address ALL'];
  const { addresses = [], names: listed = names } = accessList ?? {};
  const rules = [
    ...addresses.map((one) => `initiator-address ${one}`),
    ...listed.map((one) => `initiator-name ${one}`),
  ];
  // A target without any rule is open to everybody in tgt, and nobody has this address (RFC 5737).
  const needsAddress = rules.every((rule) => !rule.startsWith('initiator-address'));
  return needsAddress ? ['initiator-address 192.0.2.255', ...rules] : rules;
}

function unitLines({ index, storageObject }: Lun): string[] {
  const { config, attributes, backstore } = storageObject;
  const { values } = attributes;
  const labels = labelsOf(storageObject);
  const path = typeof config['dev'] === 'string' ? config['dev'] : undefined;
  if (path === undefined || !['fileio', 'block'].includes(backstore.name))
    return [`# LUN ${index} is a ${backstore.name}, which has no file or device`];
  // In tgt, LUN 0 is a controller.
  if (index === 0)
    return [`# LUN 0 cannot be a disk in tgt; give it another number:`, `# backing-store ${escaped(path)}`];
  const options = [
    `lun ${index}`,
    ...['vendor_id', 'product_id', 'scsi_id', 'scsi_sn'].flatMap((name) => {
      const value = values[name as 'scsi_id'];
      return value === '' ? [] : [`${name} "${escaped(value)}"`];
    }),
    `product_rev "${escaped(values.revision)}"`,
    ...(values.scsi_sn === '' ? [`scsi_sn "${storageObject.wwn.slice(0, 36)}"`] : []),
    ...(values.block_size === 512 ? [] : [`block-size ${values.block_size}`]),
    ...(values.read_only === 1 ? ['readonly 1'] : []),
    ...(values.removable === 1 ? ['removable 1'] : []),
    ...(values.online === 0 ? ['online 0'] : []),
    ...(values.emulate_tpu === 1 ? ['params thin_provisioning=1'] : []),
    `write-cache ${values.emulate_write_cache === 1 ? 'on' : 'off'}`,
    ...(labels.has('bsoflags') ? [`bsoflags ${labels.get('bsoflags')}`] : []),
  ];
  return [`<backing-store ${path}>`, ...options.map((line) => `    ${line}`), '</backing-store>'];
}
