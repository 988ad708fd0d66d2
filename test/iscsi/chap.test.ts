// CHAP: the arithmetic of RFC 1994 and the exchange of RFC 7143 12.1.3. It does not test the stages (login.test.ts).

import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { chapResponse, chooseAlgorithm, parseBinary, verifyResponse } from '../../src/iscsi/chap.ts';
import { addAcl, IscsiTarget } from '../support/iscsi-target.ts';

const hashes: Record<string, string> = { 5: 'md5', 6: 'sha1', 7: 'sha256', 8: 'sha3-256' };
const secret = 'a secret of ours';

describe('numbers', () => {
  it('RFC 7143 6.1: large binary values in hexadecimal and base64, bounded', () => {
    expect(parseBinary('0x00ff', 2)).toEqual(Buffer.from([0, 255]));
    expect(parseBinary('0bAP8=', 2)).toEqual(Buffer.from([0, 255]));
    for (const wrong of ['', '0x', '00ff', '0xf', '0xzz', '0bA', '0b====', '0x000000'])
      expect(parseBinary(wrong, 2)).toBeUndefined();
  });

  it.each(Object.entries(hashes))(
    'RFC 1994 4.1: algorithm %s is a digest of identifier, secret and challenge',
    (algorithm, hash) => {
      const challenge = { algorithm, identifier: 7, bytes: Buffer.from('challenge') };
      const expected = createHash(hash)
        .update(Buffer.concat([Buffer.from([7]), Buffer.from(secret), challenge.bytes]))
        .digest();
      expect(Buffer.from(chapResponse(challenge, secret))).toEqual(expected);
      expect(verifyResponse(challenge, secret, `0b${expected.toString('base64')}`)).toBe(true);
      expect(verifyResponse(challenge, secret, `0x${expected.subarray(1).toString('hex')}`)).toBe(false);
      expect(verifyResponse(challenge, `${secret}!`, `0x${expected.toString('hex')}`)).toBe(false);
    },
  );

  it('the first algorithm that we know is taken', () => {
    expect([chooseAlgorithm('9,7,5'), chooseAlgorithm('9'), chooseAlgorithm('__proto__')]).toEqual([
      '7',
      undefined,
      undefined,
    ]);
  });
});

interface Attempt {
  algorithm?: string;
  name?: string;
  secret?: string;
  mutual?: 'wanted' | 'reflected';
  /** How the initiator writes its response, and its identifier. */
  written?: (response: Buffer) => string;
  identifier?: string;
}

const inHex = (bytes: Uint8Array) => `0x${Buffer.from(bytes).toString('hex')}`;
const inBase64 = (bytes: Uint8Array) => `0b${Buffer.from(bytes).toString('base64')}`;

/** A login with CHAP, up to the end of the security stage. @returns the last answer */
async function attempt(
  target: IscsiTarget,
  { algorithm = '5', name = 'user', secret: ours = secret, mutual, written = inHex, identifier = '9' }: Attempt = {},
) {
  const { initiator, output } = target.connect();
  const first = await initiator.loginStep(0, 1, { ...initiator.names, AuthMethod: 'CHAP,None' });
  if (first.text['AuthMethod'] !== 'CHAP') return { answer: first, output, theirs: undefined, initiator };
  const challenge = await initiator.loginStep(0, undefined, { CHAP_A: algorithm });
  if (challenge.values['statusClass'] !== 0) return { answer: challenge, output, theirs: undefined, initiator };
  const { CHAP_A, CHAP_I, CHAP_C } = challenge.text;
  const bytes = parseBinary(CHAP_C!, 1024)!;
  const response = chapResponse({ algorithm: CHAP_A!, identifier: Number(CHAP_I), bytes }, ours);
  const theirs = {
    algorithm: CHAP_A!,
    identifier: 9,
    bytes: mutual === 'reflected' ? bytes : Buffer.from('our own challenge'),
  };
  const back = { CHAP_I: identifier, CHAP_C: inHex(theirs.bytes) };
  const keys = { CHAP_N: name, CHAP_R: written(Buffer.from(response)), ...(mutual ? back : {}) };
  return { answer: await initiator.loginStep(0, 1, keys), output, theirs, initiator };
}

function withCredentials(mutual = false): IscsiTarget {
  const target = new IscsiTarget();
  target.tpg.attributes.set('authentication', 1);
  Object.assign(target.tpg.auth, { userid: 'user', password: secret });
  if (mutual) Object.assign(target.tpg.auth, { mutual_userid: 'disks', mutual_password: 'their secret' });
  return target;
}

const ended = (answer: { values: Record<string, number & boolean & Uint8Array> }) => [
  answer.values['statusClass'],
  answer.values['statusDetail'],
  answer.values['transit'],
];
const success = [0, 0, true];
const failure = [2, 1, false];

describe('the exchange', () => {
  it.each(Object.keys(hashes))('RFC 7143 12.1.3: algorithm %s', async (algorithm) => {
    expect(ended((await attempt(withCredentials(), { algorithm })).answer)).toEqual(success);
  });

  it('RFC 7143 12.1.3: of a list of algorithms the first is taken', async () => {
    expect(ended((await attempt(withCredentials(), { algorithm: '5,6,7,8' })).answer)).toEqual(success);
  });

  it.each(['', '56', '05', '5 ', ' 5', '0x5', '5,', ',5', 'MD5'])(
    'RFC 7143 12.1.3: CHAP_A=%j names no algorithm, or a list with one',
    async (algorithm) => {
      const { answer } = await attempt(withCredentials(), { algorithm });
      expect(ended(answer)).toEqual(algorithm.split(',').includes('5') ? success : failure);
    },
  );

  it.each<[string, Attempt, typeof success]>([
    ['base64', { written: inBase64 }, success],
    ['base64 in capitals of its prefix', { written: (response) => inBase64(response).replace('0b', '0B') }, success],
    [
      'base64 of one byte more',
      { written: (response) => inBase64(Buffer.concat([response, response.subarray(0, 1)])) },
      failure,
    ],
    ['base64 of far more', { written: () => inBase64(Buffer.alloc(6000)) }, failure],
    ['hexadecimal of one byte more', { written: (response) => `${inHex(response)}00` }, failure],
    ['hexadecimal of an odd length', { written: (response) => inHex(response).slice(0, -1) }, failure],
    ['base64 without its end', { written: (response) => inBase64(response).replaceAll('=', '') }, failure],
    ['base64 with a prefix of hexadecimal', { written: (response) => inBase64(response).replace('0b', '0x') }, failure],
  ])('RFC 7143 6.1: a response in %s', async (_what, what, wanted) => {
    expect(ended((await attempt(withCredentials(), what)).answer)).toEqual(wanted);
  });

  it.each([
    ['hexadecimal', inHex(Buffer.from('user'))],
    ['base64', inBase64(Buffer.from('user'))],
  ])('RFC 7143 12.1.3: a name that looks like %s is a name, and no number', async (_what, name) => {
    expect(ended((await attempt(withCredentials(), { name })).answer)).toEqual(failure);
    const target = withCredentials();
    target.tpg.auth.userid = name;
    expect(ended((await attempt(target, { name })).answer)).toEqual(success);
    expect(ended((await attempt(target)).answer)).toEqual(failure);
  });

  it.each(['9', '0x9', '0x09', '0X09'])(
    'RFC 7143 6.1: an identifier of the initiator is a number, and may be written as %s',
    async (identifier) => {
      const { answer, theirs } = await attempt(withCredentials(true), { mutual: 'wanted', identifier });
      expect([ended(answer), verifyResponse(theirs!, 'their secret', answer.text['CHAP_R'] ?? '')]).toEqual([
        success,
        true,
      ]);
    },
  );

  it.each<[string, Attempt]>([
    ['a wrong secret', { secret: 'guess' }],
    ['a wrong name', { name: 'other' }],
    ['no algorithm that we know', { algorithm: '9' }],
    ['mutual CHAP that is not set up', { mutual: 'wanted' }],
  ])('RFC 7143 11.13.5: %s is an authentication failure, and ends the connection', async (_name, what) => {
    const { answer, output } = await attempt(withCredentials(), what);
    expect([ended(answer), output.ended]).toEqual([failure, true]);
  });

  it('RFC 7143 6.3.1: libiscsi before 1.16 says its names again in the operational stage', async () => {
    const { initiator } = await attempt(withCredentials());
    const last = await initiator.loginStep(1, 3, { ...initiator.names, HeaderDigest: 'None', ImmediateData: 'Yes' });
    initiator.loggedIn(last);
    expect((await initiator.command([0x12, 0, 0, 0, 36, 0], { read: true, length: 36 })).status).toBe(0);
  });

  it('RFC 7143 12.1.3: mutual CHAP proves the target', async () => {
    const { answer, theirs } = await attempt(withCredentials(true), { mutual: 'wanted' });
    expect(ended(answer)).toEqual(success);
    expect(answer.text['CHAP_N']).toBe('disks');
    expect(verifyResponse(theirs!, 'their secret', answer.text['CHAP_R']!)).toBe(true);
  });

  it('RFC 7143 9.2.1: one secret for both directions is refused, and the log says so', async () => {
    const target = withCredentials(true);
    target.tpg.auth.mutual_password = secret;
    expect(ended((await attempt(target)).answer)).toEqual(failure);
    expect(target.logged.map(({ detail }) => detail?.['reason']).join()).toContain('are the same');
  });

  it('RFC 7143 12.1.3: our own challenge sent back is refused', async () => {
    expect(ended((await attempt(withCredentials(true), { mutual: 'reflected' })).answer)).toEqual(failure);
  });

  it.each([
    ['offers None alone', 0, { AuthMethod: 'None' }],
    ['says nothing of methods', 0, {}],
    ['leaves the security stage out', 1, {}],
  ])('authentication=1: an initiator that %s is refused', async (_name, stage, keys) => {
    const { initiator } = withCredentials().connect();
    expect(ended(await initiator.loginStep(stage, 3, { ...initiator.names, ...keys }))).toEqual(failure);
  });

  it('authentication=1 without credentials refuses all, and the log says why', async () => {
    const target = new IscsiTarget();
    target.tpg.attributes.set('authentication', 1);
    expect(ended((await attempt(target)).answer)).toEqual(failure);
    expect(JSON.stringify(target.logged)).toContain('has no userid and password');
  });

  it('authentication=0 without credentials lets an initiator in that would do CHAP', async () => {
    expect((await attempt(new IscsiTarget())).answer.text['AuthMethod']).toBe('None');
  });

  it("an explicit ACL has credentials of its own; the TPG's do not count for it", async () => {
    const target = withCredentials();
    const acl = addAcl(target.tpg, 'iqn.2026-01.com.example:initiator');
    Object.assign(acl.auth, { userid: 'own', password: 'own secret' });
    expect(ended((await attempt(target)).answer)).toEqual(failure);
    expect(ended((await attempt(target, { name: 'own', secret: 'own secret' })).answer)).toEqual(success);
    acl.attributes.set('authentication', 0);
    const { initiator } = target.connect();
    expect(ended(await initiator.loginStep(1, 3, initiator.names))).toEqual(success);
  });

  it('a discovery session has the credentials of discovery', async () => {
    const target = new IscsiTarget();
    target.state.discoveryAuthEnabled = true;
    Object.assign(target.state.discoveryAuth, { userid: 'user', password: secret });
    const { initiator } = target.connect();
    const names = { InitiatorName: initiator.name, SessionType: 'Discovery' };
    expect(ended(await initiator.loginStep(1, 3, names))).toEqual(failure);
  });
});
