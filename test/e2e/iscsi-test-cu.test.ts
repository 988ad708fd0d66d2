// libiscsi's test suite against `tcli serve`: the families a disk must pass to be used. Not tested here: the other suites and LUN profiles (npm run conformance).

import { describe, expect, it } from 'vitest';
import { needs } from '../support/needs.ts';
import { configure, freePort, iqn, openTarget, run, serve, temporaryDirectory } from '../support/tcli.ts';

/** Suites of Debian's iscsi-test-cu 1.19; none of their tests may fail. */
const suites = [
  'SCSI.Inquiry',
  'SCSI.Mandatory',
  'SCSI.ModeSense6',
  'SCSI.Read6',
  'SCSI.Read10',
  'SCSI.Read12',
  'SCSI.Read16',
  'SCSI.ReadCapacity10',
  'SCSI.ReadCapacity16',
  'SCSI.ReportSupportedOpcodes',
  'SCSI.TestUnitReady',
  'SCSI.Unmap',
  'SCSI.Verify10',
  'SCSI.Verify12',
  'SCSI.Verify16',
  'SCSI.Write10',
  'SCSI.Write12',
  'SCSI.Write16',
  'SCSI.WriteSame10',
  'SCSI.WriteSame16',
  'SCSI.WriteVerify10',
  'SCSI.WriteVerify12',
  'SCSI.WriteVerify16',
  'iSCSI.iSCSIResiduals',
  'iSCSI.iSCSITMF',
  'iSCSI.iSCSIcmdsn',
  'iSCSI.iSCSIdatasn',
];

describe('iscsi-test-cu', needs('iscsi-test-cu'), () => {
  it('passes every test of the named suites on a thin fileio LUN', async () => {
    const home = temporaryDirectory('/dev/shm');
    const port = await freePort();
    await configure(
      home,
      `/backstores/fileio create disk0 ${home}/disk0.img 100M`,
      '/backstores/fileio/disk0 set attribute emulate_tpu=1 emulate_tpws=1',
      ...openTarget(port, '/backstores/fileio/disk0'),
    );
    await serve(home);
    const url = `iscsi://127.0.0.1:${port}/${iqn}/0`;
    for (const suite of suites) {
      const words = ['--dataloss', '--test', suite, url];
      const { stdout } = await run('iscsi-test-cu', words);
      const [, total, , passed] = /tests +(\d+) +(\d+) +(\d+) /.exec(stdout) ?? [];
      expect({ suite, passed, stdout: passed === total ? '' : stdout }).toEqual({ suite, passed: total, stdout: '' });
      expect(Number(total), suite).toBeGreaterThan(0);
    }
  });
});
