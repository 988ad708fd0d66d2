// RFC 7143 6.4, 11.10: negotiation in full feature phase. It does not test what each key is answered (login.test.ts).

import { describe, expect, it } from 'vitest';
import { noTag, textRequest } from '../../../src/iscsi/pdu.ts';
import type { Initiator } from '../../support/initiator.ts';
import { IscsiTarget } from '../../support/iscsi-target.ts';

/** Text requests of one sequence, each behind the answer to the one before. */
function sequence(initiator: Initiator) {
  const initiatorTaskTag = initiator.tag();
  let targetTransferTag = noTag;
  return async (text: string, flags: { final?: boolean; continue?: boolean } = {}) => {
    const values = { ...initiator.number(), initiatorTaskTag, targetTransferTag, ...flags };
    initiator.send(textRequest, values, Buffer.from(text));
    const answer = await initiator.next();
    targetTransferTag = Number(answer.values['targetTransferTag'] ?? noTag);
    return answer;
  };
}

describe('RFC 7143 6.4: negotiation after login', () => {
  it('goes over several exchanges, and holds when the last one is answered', async () => {
    const { initiator, connection } = await new IscsiTarget().login();
    const send = sequence(initiator);
    const first = await send('MaxRecvDataSegmentLength=512\0');
    expect(first.values).toMatchObject({ final: false, continue: false });
    expect(connection.parameters.MaxRecvDataSegmentLength).toBe(8192);
    const last = await send('X-more=1\0', { final: true });
    expect([last.values['final'], last.values['targetTransferTag'], last.text]).toEqual([
      true,
      noTag,
      { 'X-more': 'NotUnderstood' },
    ]);
    expect(connection.parameters.MaxRecvDataSegmentLength).toBe(512);
  });

  it.each([
    ['a key that comes twice in one text', 'X-a=1\0X-a=2\0', undefined],
    ['a key that comes twice in a sequence', 'X-a=1\0', 'X-a=2\0'],
    ['a declaration out of range', 'MaxRecvDataSegmentLength=5\0', undefined],
    ['an answer to no offer', 'MaxBurstLength=Reject\0', undefined],
    ['text that is none', 'MaxBurstLength', undefined],
  ])('7.12: %s is a protocol error, and nothing of the sequence holds', async (_name, text, more) => {
    const { initiator, connection } = await new IscsiTarget().login();
    const send = sequence(initiator);
    if (more !== undefined) await send(`MaxRecvDataSegmentLength=512\0${text}`);
    const last = await send(more ?? text, { final: true });
    expect([last.name, last.values['reason']]).toEqual(['Reject', 4]);
    expect(connection.parameters.MaxRecvDataSegmentLength).toBe(8192);
    expect((await initiator.text({ 'X-a': '1' })).text).toEqual({ 'X-a': 'NotUnderstood' });
  });

  it('11.10.2: text in pieces is joined by the C bit; C and F together are a protocol error', async () => {
    const { initiator } = await new IscsiTarget().login();
    const send = sequence(initiator);
    expect((await send('MaxBurst', { continue: true })).values).toMatchObject({ final: false, dataSegmentLength: 0 });
    expect((await send('Length=512\0', { final: true })).text).toEqual({ MaxBurstLength: 'Reject' });
    expect((await sequence(initiator)('X-a=1\0', { final: true, continue: true })).values['reason']).toBe(4);
  });

  it('11.10.4: a request without a transfer tag begins anew; one with a stale tag is a protocol error', async () => {
    const { initiator } = await new IscsiTarget().login();
    const old = sequence(initiator);
    await old('X-a=1\0');
    expect((await sequence(initiator)('X-a=1\0', { final: true })).text).toEqual({ 'X-a': 'NotUnderstood' });
    expect((await old('X-b=1\0')).values['reason']).toBe(4);
  });

  it('11.10: names, digests and what leads the session are fixed; an alias may change', async () => {
    const { initiator } = await new IscsiTarget().login();
    const { text } = await initiator.text({
      InitiatorName: 'iqn.2026-01.com.example:other',
      InitiatorAlias: 'me',
      HeaderDigest: 'CRC32C',
      MaxConnections: '8',
    });
    expect(text).toEqual({ InitiatorName: 'Reject', HeaderDigest: 'Reject', MaxConnections: 'Reject' });
  });

  it('4.3: a discovery session asks for targets and nothing else', async () => {
    const { initiator } = new IscsiTarget().connect();
    await initiator.login({ SessionType: 'Discovery' });
    expect((await initiator.text({ MaxRecvDataSegmentLength: '512' })).values['reason']).toBe(4);
    expect((await initiator.text({ SendTargets: 'All' })).text['TargetName']).toBeDefined();
  });
});
