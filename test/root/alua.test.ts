// ALUA groups through the door: made, deleted, changed, kept in the saved file and in the journal.
// What initiators are told is tested beside the commands (test/conformance/scsi).

import { beforeEach, describe, expect, test } from 'vitest';
import { ownShell, type TestShell } from '../support/own-shell.ts';

let shell: TestShell;
beforeEach(async () => {
  shell = await ownShell();
  await shell.run('/backstores/ramdisk create rd0 16M', 'cd /backstores/ramdisk/rd0/alua');
});

const target = 'iqn.2003-01.org.example:alua';

describe('SPC-4 5.15 target port groups', () => {
  test('a group has a name and a number of its own, and the default group stays', async () => {
    expect(await shell.run('create grp1 10')).toBe('Created ALUA TPG grp1.\n');
    expect(await shell.run('create grp2 0')).toContain('The TPG Tag must be between 1 and 65535');
    expect(await shell.run('create grp2 10')).toContain('Could not create ALUATargetPortGroup in configFS');
    expect(await shell.run('create grp1 11')).toContain('already exists');
    expect(await shell.run('delete default_tg_pt_gp')).toContain('Can not delete default_tg_pt_gp');
    expect(await shell.run('delete nosuch')).toContain('Invalid ALUA group name');
    expect(await shell.run('delete grp1')).toBe('');
    expect(await shell.run('status')).toContain('ALUA Groups: 1');
  });

  test('a state that is set says who set it; one that the group cannot have is refused', async () => {
    await shell.run('create grp1 10', 'cd grp1');
    expect(await shell.run('set alua alua_access_state=1')).toBe("Parameter alua_access_state is now '1'.\n");
    expect(await shell.run('get alua alua_access_status')).toBe('alua_access_status=2 \n');
    expect(await shell.run('set alua alua_support_standby=0', 'set alua alua_access_state=2')).toContain(
      'alua_support_standby is 0',
    );
    expect(await shell.run('set alua alua_access_type=2', 'set alua alua_access_state=0')).toContain(
      'Only initiators may change it',
    );
    expect(await shell.run('set alua alua_access_state=5')).toContain('[Errno 22] Invalid argument');
  });

  test.each([
    ['alua_support_active_optimized', 0],
    ['alua_support_active_nonoptimized', 1],
    ['alua_support_standby', 2],
    ['alua_support_unavailable', 3],
    ['alua_support_offline', 14],
    ['alua_support_transitioning', 15],
  ])('%s=0: the group cannot be in the state %i', async (name, state) => {
    await shell.run(
      'create grp1 10',
      'cd grp1',
      `set alua alua_access_state=${state === 2 ? 1 : 2}`,
      `set alua ${name}=0`,
    );
    expect(await shell.run(`set alua alua_access_state=${state}`)).toContain(`${name} is 0`);
  });

  test('alua_support_lba_dependent is 0 for good', async () => {
    await shell.run('create grp1 10', 'cd grp1');
    expect(await shell.run('set alua alua_support_lba_dependent=1')).toContain('read-only');
    expect(await shell.run('set alua alua_access_state=4')).toContain('alua_support_lba_dependent is 0');
  });

  test('a LUN is put into a group, shows among its members, and goes back when the group is deleted', async () => {
    await shell.run('create grp1 10', `/iscsi create ${target}`, `cd /iscsi/${target}/tpg1/luns`);
    await shell.run('create /backstores/ramdisk/rd0');
    expect(await shell.run('lun0/ set alua alua_tg_pt_gp_name=nosuch')).toContain('[Errno 19]');
    expect(await shell.run('lun0/ set alua alua_tg_pt_gp_name=grp1')).toContain("is now 'grp1'");
    expect(await shell.run('/backstores/ramdisk/rd0/alua/grp1 get alua members')).toContain('/luns/lun0]');
    expect(await shell.run('lun0/ status')).toContain('(grp1)');
    await shell.run('/backstores/ramdisk/rd0/alua delete grp1');
    expect(await shell.run('lun0/ status')).toContain('(default_tg_pt_gp)');
  });

  test('groups come back: from the journal, and from the saved file', async () => {
    await shell.run('create grp1 10', 'grp1/ set alua alua_access_state=2');
    for (const again of ['/ pwd', '/ saveconfig']) {
      await shell.run(again);
      await shell.close();
      shell = await ownShell({ directory: shell.directory });
      expect(await shell.run('/backstores/ramdisk/rd0/alua/grp1 status')).toContain('ALUA state: Standby');
    }
  });
});
