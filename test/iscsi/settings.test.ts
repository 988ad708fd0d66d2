// Settings of a TPG and an ACL that an initiator can see, each by its name. Not tested here: those that login.test.ts and the
// conformance tests are about.

import { expect, it } from 'vitest';
import { nopOut, noTag, snackRequest } from '../../src/iscsi/pdu.ts';
import { addAcl, IscsiTarget } from '../support/iscsi-target.ts';

const initiatorName = 'iqn.2026-01.com.example:initiator';
const write1 = [0x2a, 0, 0, 0, 0, 0, 0, 0, 1, 0];

it('MaxXmitDataSegmentLength is the MaxRecvDataSegmentLength that the target declares', async () => {
  const target = new IscsiTarget();
  target.tpg.parameters.set('MaxXmitDataSegmentLength', '4096');
  const { initiator } = target.connect();
  const answer = await initiator.login({ MaxRecvDataSegmentLength: '8192' });
  expect(answer.text['MaxRecvDataSegmentLength']).toBe('4096');
});

it('prod_mode_write_protect makes LUNs read-only for initiators with an ACL, and for them alone', async () => {
  const target = new IscsiTarget();
  target.tpg.attributes.set('prod_mode_write_protect', 1);
  const stranger = await target.login();
  expect(await stranger.initiator.command(write1, { data: Buffer.alloc(512) })).toMatchObject({ status: 0 });
  const acl = new IscsiTarget();
  acl.tpg.attributes.set('prod_mode_write_protect', 1);
  addAcl(acl.tpg, initiatorName);
  const known = await acl.login();
  expect(await known.initiator.command(write1, { data: Buffer.alloc(512) })).toMatchObject({ sense: '7/27/00' });
});

it('tpg_enabled_sendtargets=0 shows also a TPG that is not enabled', async () => {
  const shown = async (value: number) => {
    const target = new IscsiTarget();
    target.tpg.enabled = false;
    target.tpg.attributes.set('tpg_enabled_sendtargets', value);
    const { initiator } = target.connect();
    await initiator.login({ SessionType: 'Discovery' });
    return Object.keys((await initiator.text({ SendTargets: 'All' })).text);
  };
  expect([await shown(1), await shown(0)]).toEqual([[], ['TargetName', 'TargetAddress']]);
});

it('a PDU that is rejected is logged as iscsi reject, with its reason and opcode', async () => {
  const target = new IscsiTarget();
  const { initiator } = await target.login();
  initiator.send(snackRequest, { final: true, type: 0, initiatorTaskTag: noTag, expStatSn: initiator.expStatSn });
  expect((await initiator.next()).name).toBe('Reject');
  const logged = target.logged.find(({ event }) => event === 'iscsi reject');
  expect(logged).toMatchObject({ level: 'debug', detail: { reason: expect.stringMatching(/opcode 16$/) } });
  initiator.send(nopOut, { ...initiator.number(), final: true, initiatorTaskTag: 99, targetTransferTag: noTag });
  expect((await initiator.next()).name).toBe('NOP-In');
});
