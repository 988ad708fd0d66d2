// The programs that stand in for tgt's, without tgt: lines and their words, options as Perl reads them, the answers of --op show. The
// tools beside tgt's own: test/e2e/tgt-admin.test.ts.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { quotedWord, wordsOf } from '../../../shell/tgt/command-words.ts';
import { dumpTargets } from '../../../shell/tgt/dump-targets.ts';
import { perlOptions } from '../../../shell/tgt/perl-options.ts';
import { readTargets } from '../../../shell/tgt/tgt-commands.ts';

test('a line has the words that it was made of, whatever a path is called', () => {
  fc.assert(
    fc.property(fc.array(fc.string(), { maxLength: 4 }), (paths) => {
      const line = ['tgtadm', ...paths.map(quotedWord)].join('  ');
      expect(wordsOf(line)).toEqual(['tgtadm', ...paths]);
    }),
  );
  expect(wordsOf('--lun=1  --params vendor_id="A B" ')).toEqual(['--lun=1', '--params', 'vendor_id=A B']);
});

test('options have one dash or two, may be cut short, and count beside words that are none', () => {
  const options = ['show s', 'delete D:', 'dump', 'conf c:'].map((line) => {
    const [name = '', letter = name] = line.replace(':', '').split(' ');
    return { name, letter, argument: line.endsWith(':') };
  });
  const read = (line: string) => {
    const { found, problems } = perlOptions(line.split(' '), options);
    return [Object.fromEntries(found), problems];
  };
  expect(read('-sho word --del=ALL -c f')).toEqual([{ s: '', D: 'ALL', c: 'f' }, []]);
  expect(read('--delete --show')).toEqual([{ D: '--show' }, []]);
  expect(read('--d --nosuch --show=1 -s -c')).toEqual([
    { s: '' },
    [
      'Option d is ambiguous (delete, dump)',
      'Unknown option: nosuch',
      'Option show does not take an argument',
      'Option c requires an argument',
    ],
  ]);
});

const shown = `Target 4: iqn.x
    System information:
        Driver: iscsi
        State: ready
    I_T nexus information:
        I_T nexus: 2
            Initiator: iqn.y alias: none
            Connection: 0
                IP Address: 192.0.2.1
            Connection: 1
                IP Address: 192.0.2.1
        I_T nexus: 3
            Initiator: iqn.z alias: none
            Connection: 0
                IP Address: 192.0.2.1
    LUN information:
        LUN: 0
            Backing store path: None
        LUN: 3
            Backing store path: /a b
    Account information:
        fred
        bill (outgoing)
    ACL information:
        192.0.2.7
        2001:db8::/32
        iqn.y
Target 5: iqn.y
    Account information:
    ACL information:
        ALL
`;

test('the answer of tgtd about its targets, and a file of it in which networks stay addresses', () => {
  const [one, two] = readTargets(shown);
  expect(one).toEqual({
    ...{ tid: 4, name: 'iqn.x', driver: 'iscsi', paths: ['/a b'], luns: [0, 3] },
    accounts: ['fred', 'bill (outgoing)'],
    rules: ['192.0.2.7', '2001:db8::/32', 'iqn.y'],
    connections: [
      { sid: '2', cid: '0' },
      { sid: '2', cid: '1' },
      { sid: '3', cid: '0' },
    ],
  });
  expect(two).toMatchObject({ accounts: [], rules: ['ALL'], connections: [] });
  expect(dumpTargets([one!])).toBe(
    `default-driver iscsi

<target iqn.x>
	backing-store /a b
	incominguser fred PLEASE_CORRECT_THE_PASSWORD
	outgoinguser bill PLEASE_CORRECT_THE_PASSWORD
	initiator-address 192.0.2.7
	initiator-address 2001:db8::/32
	initiator-name iqn.y
</target>

`,
  );
});
