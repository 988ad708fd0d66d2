// Login, stage by stage and key by key. It does not test CHAP (chap.test.ts) nor sockets (engine.test.ts).

import { describe, expect, it } from 'vitest';
import { loginRequest, nopOut } from '../../src/iscsi/pdu.ts';
import { addAcl, IscsiTarget, targetName } from '../support/iscsi-target.ts';

const status = ({ values }: { values: Record<string, number> }) => [values['statusClass'], values['statusDetail']];

/** The answer to one request from the operational stage to full feature phase. */
async function answerTo(keys: Record<string, string>, prepare: (target: IscsiTarget) => void = () => {}) {
  const target = new IscsiTarget();
  prepare(target);
  const { initiator, output } = target.connect();
  const answer = await initiator.loginStep(1, 3, { ...initiator.names, ...keys });
  return { answer, target, output };
}

describe('stages', () => {
  it('RFC 7143 6.3: operational stage to full feature phase in one request', async () => {
    const { answer, target } = await answerTo({});
    expect(answer.values).toMatchObject({ transit: true, currentStage: 1, nextStage: 3, statusClass: 0 });
    expect(answer.values['tsih']).toBeGreaterThan(0);
    expect(answer.text).toMatchObject({
      TargetPortalGroupTag: '1',
      TargetAlias: 'LIO Target',
      MaxRecvDataSegmentLength: '262144',
    });
    expect([...target.sessionTable]).toHaveLength(1);
  });

  it('RFC 7143 6.3.2: security, then operational stage; answers declare what belongs to each', async () => {
    const { initiator } = new IscsiTarget().connect();
    const first = await initiator.loginStep(0, 1, { ...initiator.names, AuthMethod: 'None' });
    expect(first.values).toMatchObject({ transit: true, currentStage: 0, nextStage: 1, tsih: 0 });
    expect(first.text).toMatchObject({ AuthMethod: 'None', TargetPortalGroupTag: '1' });
    const second = await initiator.loginStep(1, 3, { MaxBurstLength: '4096' });
    expect(second.text).toEqual({ MaxBurstLength: '4096', MaxRecvDataSegmentLength: '262144' });
    initiator.loggedIn(second);
  });

  it('RFC 7143 6.3.2: from security straight to full feature phase', async () => {
    const { initiator } = new IscsiTarget().connect();
    const answer = await initiator.loginStep(0, 3, { ...initiator.names, AuthMethod: 'None' });
    expect(answer.values).toMatchObject({ transit: true, nextStage: 3, statusClass: 0 });
  });

  it.each([
    ['a target that wants no credentials', 'Normal', 'CHAP,None'],
    ['discovery that wants none', 'Discovery', 'CHAP,None'],
  ])(
    'RFC 7143 6.3.1: names that come again with the same values are passed over, at %s',
    async (_what, type, methods) => {
      const { initiator } = new IscsiTarget().connect();
      const names = { ...initiator.names, InitiatorAlias: 'me', SessionType: type };
      const first = await initiator.loginStep(0, undefined, { ...names, AuthMethod: methods });
      expect([status(first), first.text['AuthMethod']]).toEqual([[0, 0], 'None']);
      expect(status(await initiator.loginStep(0, 1, names))).toEqual([0, 0]);
      const last = await initiator.loginStep(1, 3, { ...names, HeaderDigest: 'None', MaxConnections: '1' });
      expect(Object.keys(last.text).sort()).toEqual(['HeaderDigest', 'MaxConnections', 'MaxRecvDataSegmentLength']);
      initiator.loggedIn(last);
    },
  );

  it.each([
    ['InitiatorName', 'iqn.2026-01.com.example:other'],
    ['TargetName', 'iqn.2026-01.com.example:other'],
    ['SessionType', 'Discovery'],
    ['InitiatorAlias', 'you'],
  ])('RFC 7143 6.3.1: %s that comes again with another value is an initiator error', async (name, value) => {
    const { initiator } = new IscsiTarget().connect();
    const names: Record<string, string> = { ...initiator.names, InitiatorAlias: 'me' };
    await initiator.loginStep(0, 1, { ...names, AuthMethod: 'None' });
    expect(status(await initiator.loginStep(1, 3, { ...names, [name]: value }))).toEqual([2, 0]);
  });

  it('RFC 7143 11.12.1: no T bit, no transit; the stage goes on', async () => {
    const { initiator } = new IscsiTarget().connect();
    const first = await initiator.loginStep(1, undefined, { ...initiator.names, InitialR2T: 'No' });
    expect(first.values).toMatchObject({ transit: false, currentStage: 1 });
    expect((await initiator.loginStep(1, 3, { MaxConnections: '4' })).text).toEqual({ MaxConnections: '1' });
  });

  it('RFC 7143 11.12.2: text in several requests, joined by the C bit, cut inside a key', async () => {
    const target = new IscsiTarget();
    const { initiator } = target.connect();
    const text = Buffer.from(`InitiatorName=${initiator.name}\0TargetName=${targetName}\0MaxBurstLength=8192\0`);
    initiator.send(loginRequest, { ...initiator.loginValues(1), continue: true }, text.subarray(0, 21));
    const empty = await initiator.next();
    expect(empty.data.length).toBe(0);
    expect(empty.values).toMatchObject({ transit: false, statusClass: 0 });
    initiator.send(loginRequest, { ...initiator.loginValues(1), transit: true, nextStage: 3 }, text.subarray(21));
    expect((await initiator.next()).text['MaxBurstLength']).toBe('8192');
  });

  it.each([
    ['stage 2', 2, 3],
    ['stage 3', 3, 3],
    ['to a stage it is in', 1, 1],
    ['backwards', 1, 0],
    ['to the reserved stage', 0, 2],
  ])('RFC 7143 11.12.3: %s is an initiator error, and the connection ends', async (_name, stage, nextStage) => {
    const { initiator, output } = new IscsiTarget().connect();
    expect(status(await initiator.loginStep(stage, nextStage, initiator.names))).toEqual([2, 0]);
    expect(output.ended).toBe(true);
  });

  it('RFC 7143 6.3.1: a request that is none before login gets 020Bh', async () => {
    const { initiator, output } = new IscsiTarget().connect();
    initiator.send(nopOut, { immediate: true, final: true, initiatorTaskTag: 1 });
    expect(status(await initiator.next())).toEqual([2, 0x0b]);
    expect(output.ended).toBe(true);
  });
});

describe('names and addresses', () => {
  it.each<[string, Record<string, string | undefined>, number[]]>([
    ['no InitiatorName', { InitiatorName: undefined }, [2, 7]],
    ['no TargetName', { TargetName: undefined }, [2, 7]],
    ['an unknown target', { TargetName: 'iqn.2026-01.com.example:other' }, [2, 3]],
    ['an unknown session type', { SessionType: 'Boot' }, [2, 9]],
    ['a name with a space', { InitiatorName: 'iqn. x' }, [2, 0]],
    ['an alias of 256 bytes', { InitiatorAlias: 'a'.repeat(256) }, [2, 0]],
    ['a name of 224 bytes', { InitiatorName: `iqn.${'ä'.repeat(110)}` }, [2, 0]],
  ])('RFC 7143 11.13.5: %s', async (_name, keys, expected) => {
    const { initiator } = new IscsiTarget().connect();
    const all = Object.entries({ ...initiator.names, ...keys }).filter(([, value]) => value !== undefined);
    expect(status(await initiator.loginStep(1, 3, all as [string, string][]))).toEqual(expected);
  });

  it('RFC 7143 4.2.7.1: names are compared without regard to case', async () => {
    const { answer, target } = await answerTo({
      TargetName: targetName.toUpperCase(),
      InitiatorName: 'IQN.2026-01.COM.EXAMPLE:Big',
    });
    expect(status(answer)).toEqual([0, 0]);
    expect([...target.sessionTable][0]?.initiatorName).toBe('iqn.2026-01.com.example:big');
  });

  it('RFC 7143 11.13.5: without an ACL 0202h, and the log says which rule refused', async () => {
    const { answer, target } = await answerTo({}, ({ tpg }) => tpg.attributes.set('generate_node_acls', 0));
    expect(status(answer)).toEqual([2, 2]);
    expect(target.logged.map(({ detail }) => detail?.['reason']).join()).toContain('no ACL for');
  });

  it('RFC 7143 11.13.5: a disabled TPG is 0301h', async () => {
    const { answer } = await answerTo({}, ({ tpg }) => {
      tpg.enabled = false;
    });
    expect(status(answer)).toEqual([3, 1]);
  });

  it('an explicit ACL admits', async () => {
    const { answer, target } = await answerTo({}, ({ tpg }) => {
      tpg.attributes.set('generate_node_acls', 0);
      addAcl(tpg, 'iqn.2026-01.com.example:initiator');
    });
    expect(status(answer)).toEqual([0, 0]);
    expect([...target.sessionTable][0]?.acl).toBeDefined();
  });
});

describe('keys', () => {
  it.each<[string, string, string, string, (string | undefined)?]>([
    ['13.1', 'HeaderDigest', 'CRC32C,None', 'CRC32C'],
    ['13.1', 'HeaderDigest', 'None,CRC32C', 'None'],
    ['13.1', 'DataDigest', 'X-mine', 'Reject'],
    ['13.1', 'DataDigest', 'CRC32C', 'Reject', 'None'],
    ['13.2', 'MaxConnections', '16', '4', '4'],
    ['13.2', 'MaxConnections', '2', '2', '4'],
    ['13.2', 'MaxConnections', '0', 'Reject'],
    ['13.2', 'MaxConnections', '65536', 'Reject'],
    ['13.10', 'InitialR2T', 'No', 'Yes'],
    ['13.10', 'InitialR2T', 'No', 'No', 'No'],
    ['13.10', 'InitialR2T', 'Yes', 'Yes', 'No'],
    ['13.11', 'ImmediateData', 'No', 'No'],
    ['13.11', 'ImmediateData', 'Yes', 'No', 'No'],
    ['13.11', 'ImmediateData', 'yes', 'Reject'],
    ['13.12', 'MaxRecvDataSegmentLength', '65536', '262144'],
    ['13.13', 'MaxBurstLength', '16777215', '262144'],
    ['13.13', 'MaxBurstLength', '0x1000', '4096'],
    ['13.13', 'MaxBurstLength', '16777216', 'Reject'],
    ['13.13', 'MaxBurstLength', '99999999999', 'Reject'],
    ['13.14', 'FirstBurstLength', '512', '512'],
    ['13.14', 'FirstBurstLength', '511', 'Reject'],
    ['13.15', 'DefaultTime2Wait', '0', '2'],
    ['13.15', 'DefaultTime2Wait', '3600', '3600'],
    ['13.16', 'DefaultTime2Retain', '0', '0'],
    ['13.17', 'MaxOutstandingR2T', '8', '1'],
    ['13.18', 'DataPDUInOrder', 'No', 'Yes'],
    ['13.18', 'DataPDUInOrder', 'No', 'No', 'No'],
    ['13.18', 'DataPDUInOrder', 'Yes', 'Yes', 'No'],
    ['13.19', 'DataSequenceInOrder', 'No', 'Yes'],
    ['13.19', 'DataSequenceInOrder', 'No', 'No', 'No'],
    ['13.20', 'ErrorRecoveryLevel', '2', '0'],
    ['13.20', 'ErrorRecoveryLevel', '3', 'Reject'],
    ['13.23', 'TaskReporting', 'FastAbort,RFC3720', 'RFC3720'],
    ['13.24', 'iSCSIProtocolLevel', '2', '1'],
    ['13.25', 'IFMarker', 'No', 'Reject'],
    ['6.2', 'SendTargets', 'All', 'Reject'],
    ['6.2', 'TargetAlias', 'disk', 'Reject'],
    ['6.2', 'TargetAddress', '192.0.2.1', 'Reject'],
    ['6.2', 'AuthMethod', 'None', 'Reject'],
    ['6.2', 'CHAP_A', '5', 'Reject'],
    ['13.25', 'OFMarkInt', '2048~8192', 'Reject'],
    ['13.22', 'X-com.example.key', '1', 'NotUnderstood'],
    ['6.2', 'Nonsense', '1', 'NotUnderstood'],
  ])('RFC 7143 %s: %s=%s is answered %s (TPG: %s)', async (_clause, name, offer, expected, ours) => {
    const { answer } = await answerTo({ [name]: offer }, ({ tpg }) => {
      if (ours !== undefined) tpg.parameters.set(name as never, ours);
    });
    expect(answer.text[name]).toBe(expected);
  });

  it.each<[string, number, [string, string][]]>([
    [
      '6.2: a key that comes twice',
      1,
      [
        ['InitialR2T', 'No'],
        ['InitialR2T', 'No'],
      ],
    ],
    ['13.5: another InitiatorName', 1, [['InitiatorName', 'iqn.2026-01.com.example:other']]],
    [
      '12: a security key that comes twice',
      0,
      [
        ['AuthMethod', 'None'],
        ['AuthMethod', 'CHAP'],
      ],
    ],
    ['6.2: Reject of what was not offered', 1, [['MaxBurstLength', 'Reject']]],
    ['6.2: Irrelevant of what was not offered', 1, [['FirstBurstLength', 'Irrelevant']]],
    ['6.2: NotUnderstood of what was not offered', 1, [['X-mine', 'NotUnderstood']]],
    ['7.12: a declaration out of range', 1, [['MaxRecvDataSegmentLength', '511']]],
    ['7.12: a declaration that is no number', 1, [['MaxRecvDataSegmentLength', '8k']]],
  ])('RFC 7143 %s is an initiator error', async (_name, stage, pairs) => {
    const { initiator, output } = new IscsiTarget().connect();
    expect(status(await initiator.loginStep(stage, 3, [...Object.entries(initiator.names), ...pairs]))).toEqual([2, 0]);
    expect(output.ended).toBe(true);
  });

  it('RFC 7143 6.2: an initiator may say that it does not understand what we declare', async () => {
    const { initiator } = new IscsiTarget().connect();
    await initiator.loginStep(1, undefined, initiator.names);
    const answer = await initiator.loginStep(1, 3, { TargetAlias: 'NotUnderstood' });
    expect([status(answer), answer.text]).toEqual([[0, 0], {}]);
  });

  it('RFC 7143 13.26: X#NodeArchitecture is heard and not answered', async () => {
    const { answer } = await answerTo({ 'X#NodeArchitecture': 'ExampleOS/1' });
    expect([status(answer), answer.text['X#NodeArchitecture']]).toEqual([[0, 0], undefined]);
  });

  it('RFC 7143 13.12: declarations are made once each, whoever speaks first', async () => {
    const target = new IscsiTarget();
    const { initiator, connection } = target.connect();
    const first = await initiator.loginStep(1, undefined, initiator.names);
    expect(first.text['MaxRecvDataSegmentLength']).toBe('262144');
    const second = await initiator.loginStep(1, 3, { MaxRecvDataSegmentLength: '4096' });
    expect([second.values['statusClass'], second.text]).toEqual([0, {}]);
    expect(connection.parameters.MaxRecvDataSegmentLength).toBe(4096);
  });

  it('RFC 7143 13: keys of normal sessions are irrelevant in a discovery session', async () => {
    const { initiator } = new IscsiTarget().connect();
    const answer = await initiator.login({ SessionType: 'Discovery', MaxBurstLength: '512', DefaultTime2Wait: '5' });
    expect(answer.text).toMatchObject({ MaxBurstLength: 'Irrelevant', DefaultTime2Wait: '5' });
    expect(answer.text['TargetPortalGroupTag']).toBeUndefined();
  });

  it.each([
    ['CRC32C', 'CRC32C'],
    ['CRC32C,None', 'CRC32C'],
    ['None,CRC32C', 'None'],
    ['other', 'Reject'],
  ])('RFC 7143 13.1: a discovery session that offers the digests %s has %s', async (offer, answer) => {
    const { initiator } = new IscsiTarget().connect();
    const { text } = await initiator.login({ SessionType: 'Discovery', HeaderDigest: offer, DataDigest: offer });
    expect([text['HeaderDigest'], text['DataDigest']]).toEqual([answer, answer]);
    expect((await initiator.text({ SendTargets: 'All' })).text['TargetName']).toBe(targetName);
  });

  it.each<[string, Record<string, string>, string | undefined]>([
    ['in one text', { MaxBurstLength: '512', FirstBurstLength: '65536' }, '512'],
    ['in the other order', { FirstBurstLength: '65536', MaxBurstLength: '512' }, '512'],
    ['that nobody spoke of', { MaxBurstLength: '512' }, undefined],
  ])('RFC 7143 13.14: FirstBurstLength %s does not exceed MaxBurstLength', async (_name, keys, answered) => {
    const { answer, target } = await answerTo(keys);
    expect(answer.text['FirstBurstLength']).toBe(answered);
    expect([...target.sessionTable][0]?.parameters).toMatchObject({ MaxBurstLength: 512, FirstBurstLength: 512 });
  });
});

describe('limits', () => {
  it('RFC 7143 6.1: an alias has 255 bytes at most', () => {
    const { parameters } = new IscsiTarget().tpg;
    expect(parameters.check('TargetAlias', 'a'.repeat(255), 'parameter')).toHaveLength(255);
    for (const alias of ['a'.repeat(256), 'a\nb'])
      expect(() => parameters.check('TargetAlias', alias, 'parameter')).toThrow('Cannot set parameter TargetAlias');
  });

  it('a login that never ends is cut: by its requests', async () => {
    const { initiator, output } = new IscsiTarget().connect();
    await initiator.loginStep(1, undefined, initiator.names);
    for (let count = 0; count < 100 && !output.ended; count += 1) await initiator.loginStep(1, undefined, {});
    expect(output.ended).toBe(true);
  });

  it('RFC 7143 13.12: before its end, a login has segments of 8192 bytes at most', async () => {
    const { initiator, output } = new IscsiTarget().connect();
    const text = Buffer.from(`X-a=${'b'.repeat(8187)}\0`);
    initiator.send(loginRequest, { ...initiator.loginValues(1), continue: true }, text);
    expect([(await initiator.next()).values['statusClass'], output.ended]).toEqual([0, false]);
    initiator.send(loginRequest, { ...initiator.loginValues(1), continue: true }, Buffer.alloc(8193));
    expect(output.ended).toBe(true);
  });

  it('RFC 7143 13.12: an answer that does not fit into one segment is not given', async () => {
    const { initiator, output } = new IscsiTarget().connect();
    const key = 'X'.repeat(58);
    const pairs = Array.from({ length: 120 }, (_, index) => `${key}${index}=\0`);
    initiator.send(loginRequest, { ...initiator.loginValues(1), continue: true }, Buffer.from(pairs.join('')));
    await initiator.next();
    const names = Object.entries(initiator.names).map(([name, value]) => `${name}=${value}\0`);
    initiator.send(
      loginRequest,
      { ...initiator.loginValues(1), transit: true, nextStage: 3 },
      Buffer.from(names.join('')),
    );
    expect([status(await initiator.next()), output.ended]).toEqual([[2, 0], true]);
  });

  it('a login that never ends is cut: by login_timeout', () => {
    const target = new IscsiTarget();
    const { connection, output } = target.connect();
    target.time += 15_000;
    connection.tick();
    expect(output.ended).toBe(false);
    target.time += 1;
    connection.tick();
    expect(output.ended).toBe(true);
  });

  it.each([
    ['not ended', 'InitiatorName=a'],
    ['no equals sign', 'InitiatorName\0'],
    ['a key of 64 bytes', `${'k'.repeat(64)}=1\0`],
    ['300 pairs', 'k=1\0'.repeat(300)],
  ])('text that is none: %s', async (_name, text) => {
    const { initiator, output } = new IscsiTarget().connect();
    initiator.send(loginRequest, { ...initiator.loginValues(1), transit: true, nextStage: 3 }, Buffer.from(text));
    expect(status(await initiator.next())).toEqual([2, 0]);
    expect(output.ended).toBe(true);
  });
});
