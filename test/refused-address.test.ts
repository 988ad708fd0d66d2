/** An address that is refused may hold a secret, wherever somebody put it: the error repeats nothing of it. */

import { expect, test } from 'vitest';
import { backstores } from '../src/backstore/index.ts';
import { parseEndpoints } from '../src/cluster/etcd.ts';
import { lastWords } from '../src/errors.ts';
import { ownShell } from './support/own-shell.ts';

const secret = 'QVBhc3N3b3Jk';

test.each(backstores.flatMap(({ handler }) => handler ?? []))(
  'user:%s repeats nothing of an address',
  async (handler) => {
    const shell = await ownShell();
    const addresses = [
      secret,
      `rbd/disk0;key=${secret}`,
      `rbd/disk0;${secret}`,
      `a/b/${secret}/c`,
      `nbd://host/x?password=${secret}`,
      `nbd://host/?${secret}`,
      `nbd://u:${secret}@host/`,
      `nbd://u:a/${secret}@host/`,
      `json:{"password":"${secret}"}`,
    ];
    for (const address of addresses) {
      const said = await shell.run(`/backstores/user:${handler} create d 1M '${address}'`);
      expect(said, address).toMatch(/cfgstring invalid|not usable|Syntax error|begins with/);
      expect(said).not.toContain(secret);
    }
  },
);

test.each([`http://u:${secret}@host:2379`, `host:2379,http://host/?token=${secret}`, `u:${secret}@host`])(
  'an endpoint of etcd that is refused is not repeated: %s',
  (endpoints) => {
    let said = '';
    try {
      parseEndpoints(endpoints);
    } catch (error) {
      said = lastWords(error);
    }
    expect(said).toContain('of etcd is no address that can be used');
    expect(said).not.toContain(secret);
  },
);
