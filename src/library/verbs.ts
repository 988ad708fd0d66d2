/** What can be done at each kind of place, and the kinds of backstore: printed from the records (npx vitest run test/library -u). */

export const verbs: Readonly<Record<string, readonly string[]>> = {
  acl: ['create', 'delete', 'set'],
  acls: ['create', 'delete', 'tag'],
  alua: ['create', 'delete'],
  'alua group': ['set'],
  backstore: ['create', 'delete', 'changemedium'],
  fabric: ['create', 'delete', 'set', 'add_account', 'remove_account'],
  lun: ['set'],
  luns: ['create', 'delete', 'attach', 'detach'],
  'mapped lun': ['set'],
  portal: ['set'],
  portals: ['create', 'delete'],
  root: ['restoreconfig', 'clearconfig'],
  'storage object': ['resize', 'set'],
  target: ['create', 'delete'],
  tpg: ['restrict', 'unrestrict', 'enable', 'disable', 'set'],
};

/** The kinds of backstore. */
export const backstoreNames = ['block', 'fileio', 'pscsi', 'ramdisk', 'user:nbd', 'user:qcow', 'user:rbd'] as const;
