/**
 * rtslib's classes over a running tcli (packaging/python), with the system's Python: the script that articles on rtslib show,
 * what rtslib documents, and Cinder's own program. What the control protocol does: test/daemon/control.test.ts.
 */

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { needs } from '../support/needs.ts';
import { attachLoopDevice, detachLoopDevice, makeFile } from '../support/scratch.ts';
import { freePort, quickHome, run, serve, tcli } from '../support/tcli.ts';

const packages = resolve(import.meta.dirname, '../../packaging/python');
const python = '/usr/bin/python3';

const environment = (home: string) => ({ TCLI_HOME: home, PYTHONPATH: packages, PYTHONDONTWRITEBYTECODE: '1' });

it(
  "the script of rtslib's listing makes its target, by another import alone",
  needs('python3', 'iscsi-inq'),
  async () => {
    const home = quickHome();
    await serve(home);
    const port = await freePort();
    const listing = readFileSync(join(import.meta.dirname, 'iscsi-test.py'), 'utf8');
    const script = join(home, 'iscsiTest.py');
    const here = listing
      .replace("'/tmp/disk0.img'", `'${join(home, 'disk0.img')}'`)
      .replace("'0.0.0.0'", `'127.0.0.1', ${port}`);
    writeFileSync(script, here);
    const made = await run(python, [script], { env: environment(home) });
    expect(made).toMatchObject({ status: 0, stderr: '' });
    const wwn = made.stdout.trim();
    const inquiry = await run('iscsi-inq', [`iscsi://127.0.0.1:${port}/${wwn}/0`]);
    expect(inquiry.stdout).toContain('Product:FILEIO');
    expect((await tcli(home, ['ls', '/iscsi'])).stdout).toContain('tpg1');
  },
);

it('objects are found, made and changed as rtslib documents it', needs('python3'), async () => {
  const home = quickHome();
  await serve(home);
  const folder = join(home, 'files');
  mkdirSync(folder);
  const told = await run(python, [join(import.meta.dirname, 'objects.py'), folder], { env: environment(home) });
  expect(told).toEqual({ status: 0, stdout: 'well\n', stderr: '' });
});

it(
  'an answer that comes late, or that tcli never gives, ends the connection and is no answer',
  needs('python3'),
  async () => {
    const home = quickHome();
    const told = await run(python, [join(import.meta.dirname, 'hostile.py'), home], { env: environment(home) });
    expect(told).toEqual({ status: 0, stdout: 'well\n', stderr: '' });
  },
);

it('without a tcli that serves, it says where it looked and what starts one', needs('python3'), async () => {
  const home = quickHome();
  const told = await run(python, ['-c', 'import tcli_rtslib; tcli_rtslib.RTSRoot()'], { env: environment(home) });
  expect(told.stderr).toContain(`No tcli can be reached at ${home}/run/control.sock`);
  expect(told.stderr).toContain('To start one: tcli daemon start');
});

it("Cinder's rtstool runs as it is, by an import path", needs('cinder-rtstool', 'loop devices'), async () => {
  const home = quickHome();
  await serve(home);
  const device = attachLoopDevice(makeFile(join(home, 'volume'), 8 << 20));
  onTestFinished(() => detachLoopDevice(device));
  const port = await freePort();
  const env = { ...environment(home), PYTHONPATH: `${packages}:${join(packages, 'instead')}` };
  const volume = 'iqn.2010-10.org.openstack:volume-1';
  const client = 'iqn.1994-05.com.example:client';
  const another = 'iqn.1994-05.com.example:another';
  const words = [device, volume, 'user', 'password12345', 'False', client, '-a127.0.0.1', `-p${port}`];
  expect(await run('/usr/bin/cinder-rtstool', ['create', ...words], { env })).toMatchObject({ status: 0, stdout: '' });
  // The imports of rtstool take seconds: from here on, its main function runs in one process.
  const rtstool = (...lines: string[][]) => {
    const script =
      'import json, sys; from cinder.cmd import rtstool\nfor line in json.loads(sys.argv[1]): rtstool.main(line)';
    return run(python, ['-c', script, JSON.stringify(lines.map((line) => ['cinder-rtstool', ...line]))], { env });
  };
  const acls = async () => (await tcli(home, ['ls', `/iscsi/${volume}/tpg1/acls`, '1'])).stdout;
  const added = await rtstool(['verify'], ['get-targets'], ['add-initiator', volume, 'user', 'password12345', another]);
  expect(added).toMatchObject({ status: 0, stdout: `${volume}\n` });
  expect(await acls()).toContain(another);
  const url = `iscsi://user%password12345@127.0.0.1:${port}/${volume}/0`;
  expect((await run('iscsi-inq', ['-i', client, url])).stdout).toContain('DIRECT_ACCESS');
  const copy = join(home, 'copy.json');
  expect(await rtstool(['delete-initiator', volume, another], ['save', copy], ['delete', volume])).toMatchObject({
    status: 0,
  });
  expect((await tcli(home, ['ls', '/'])).stdout).not.toContain('volume-1');
  expect(await rtstool(['restore', copy])).toMatchObject({ status: 0 });
  expect(await acls()).not.toContain(another);
});
