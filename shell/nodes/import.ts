/** `import` of the root: the configuration of another target. */

import { describeOperation, type Host, planImport, types } from '../../src/index.ts';
import { commandOf, optional, required } from '../session/node.ts';
import { carryOut } from './apply.ts';

export const importCommand = commandOf<Host>()({
  doc: "Takes over the configuration of another target: tgt's targets.conf, IET's ietd.conf, gotgt's config.json or FreeBSD's ctl.conf.",
  details: [
    'What it amounts to is shown first, as lines of this shell; what cannot be taken over is listed with its line. It is one change: all of it is made, or nothing.',
    'Disks of tgt keep their LUN numbers and what initiators know them by (VPD 80h and 83h). Targets that are there already stay as they are, so the same file again changes nothing.',
  ],
  seeAlso: ['diff', 'undo'],
  parameters: [
    required('file', types.string, 'The file; which of them it is, its content says.', { kind: 'file' }),
    optional('dry_run', types.bool, 'Only show what it would do.', { default: false }),
  ],
  examples: [{ line: 'import /etc/tgt/targets.conf dry_run=true', does: 'Shows what it would make of it.' }],
  async run({ root }, context, { file, dry_run }) {
    const { fileNamed, info, print, warn } = context;
    const { kind, operations, left } = await planImport(root.tree, fileNamed(file));
    info(`${file} is ${kind}.`);
    for (const operation of operations) print(describeOperation(operation));
    for (const { file: where, line, what } of left)
      warn(`Not taken over: ${line > 0 ? `${where}:${line}: ` : ''}${what}`);
    if (operations.length === 0) return info('Nothing to do.');
    if (dry_run) return info('Nothing was changed: dry_run=true.');
    await carryOut(context, operations);
    info(`Imported: ${operations.filter(({ verb, path }) => verb === 'create' && path === '/iscsi').length} targets.`);
  },
});
