/** What can be done at each kind of place, and the kinds of backstore: printed from the records (npx vitest run test/library -u). */

export const verbs: Readonly<Record<string, readonly string[]>> = {
  acl: ['create', 'delete', 'set'],
  acls: ['create', 'delete', 'tag', 'rename', 'copy'],
  alua: ['create', 'delete'],
  'alua group': ['set'],
  backstore: ['create', 'delete', 'rename', 'changemedium', 'replace'],
  fabric: ['create', 'delete', 'set', 'add_account', 'remove_account', 'rename', 'copy'],
  lun: ['set'],
  luns: ['create', 'delete', 'attach', 'detach', 'move'],
  'mapped lun': ['set'],
  portal: ['set'],
  portals: ['create', 'delete', 'move'],
  root: ['restoreconfig', 'clearconfig'],
  'storage object': ['set', 'resize'],
  target: ['create', 'delete'],
  tpg: ['restrict', 'unrestrict', 'fence', 'unfence', 'enable', 'disable', 'set'],
};

/** The kinds of backstore. */
export const backstoreNames = ['block', 'fileio', 'pscsi', 'ramdisk', 'user:nbd', 'user:qcow', 'user:rbd'] as const;
