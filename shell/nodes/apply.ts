/** `apply` and `export` of the root: carrying out a description of the configuration, and printing one. */

import {
  describeOperation,
  describeTree,
  descriptionSchema,
  dumpTree,
  exportTargetsConf,
  formatSaved,
  type Host,
  type Operation,
  planDescription,
  printDescription,
  readDescription,
  slices,
  types,
  type ValueType,
  withoutSecretValues,
} from '../../src/index.ts';
import { type Context, commandOf, optional, required } from '../session/node.ts';

interface ApplyWords {
  readonly file: string;
  readonly prune: boolean | undefined;
  readonly dry_run: boolean | undefined;
}

export const applyCommand = commandOf<Host>()({
  doc: 'Makes the configuration what a file describes, in YAML or JSON.',
  details: [
    'The keys are those of saveconfig.json; `export yaml` prints what there is, `export schema` what there can be. What the file leaves out stays as it is, or is as in a new object; with prune=true, it goes.',
    `Shows what it takes as lines of this shell, and does it as one change: all of it, or nothing. The same file again changes nothing.
    storage_objects:
      - {plugin: fileio, name: disk0, dev: /srv/disk0.img, size: 10G}
    targets:
      - wwn: iqn.2003-01.org.example:disks
        tpgs:
          - attributes: {authentication: 1}
            portals: [{ip_address: 192.0.2.1}]
            luns: [{index: 0, storage_object: /backstores/fileio/disk0}]
            node_acls:
              - node_wwn: iqn.1994-05.com.redhat:client1
                chap_userid: client1
                chap_password: {file: /root/client1.secret}
                mapped_luns: [{index: 0}]`,
    'A secret stands there itself, or as {env: NAME} or {file: PATH}. The file and what it names are opened with the rights of whoever types.',
  ],
  seeAlso: ['export', 'diff', 'undo', 'try'],
  parameters: [
    required('file', types.string, 'The description.', { kind: 'file' }),
    optional('prune', types.bool, 'What it does not describe goes.', { default: false }),
    optional('dry_run', types.bool, 'Only show what it would do.', { default: false }),
  ],
  examples: [{ line: 'apply /etc/tcli/disks.yaml dry_run=true', does: 'Shows what it would do.' }],
  async run(_host, context, words) {
    const { print, info } = context;
    const operations = await planned(context, words);
    const rest = slices();
    for (const one of operations) {
      print(describeOperation(one));
      await rest();
    }
    if (operations.length === 0) return info('Nothing to do.');
    if (words.dry_run) return info('Nothing was changed: dry_run=true.');
    await carryOut(context, operations);
    info(`Applied: ${operations.length} ${operations.length === 1 ? 'operation' : 'operations'}.`);
  },
  async json(_host, context, words) {
    const operations = await planned(context, words);
    if (!words.dry_run) await carryOut(context, operations);
    return { changed: operations.length > 0 && !words.dry_run, plan: operations.map(describeOperation) };
  },
});

async function planned({ askClient, host, begin }: Context, { file, prune }: ApplyWords): Promise<Operation[]> {
  const text = await askClient({ kind: 'file', path: file });
  const description = await readDescription(text, file, async (place) => {
    const question =
      'env' in place ? ({ kind: 'variable', name: place.env } as const) : ({ kind: 'file', path: place.file } as const);
    return (await askClient(question)).replace(/\r?\n$/, '');
  });
  await begin();
  return planDescription(host.root.tree, description, prune);
}

/** Carries operations out one after the other, in slices. */
export async function carryOut({ apply }: Context, operations: readonly Operation[]): Promise<void> {
  const rest = slices();
  for (const { path, verb, params } of operations) {
    await apply(path, verb, params);
    await rest();
  }
}

const formats = {
  yaml: 'a description for `apply`',
  json: 'the same as JSON',
  schema: 'what a description may say, as a JSON Schema',
  tgt: 'a targets.conf of tgt, with the iSCSI targets',
  lio: 'a saveconfig.json, which LIO and restoreconfig read',
} as const;

type Format = keyof typeof formats;
const formatWords = Object.keys(formats) as Format[];
const formatType: ValueType<Format> = {
  name: 'string',
  words: formatWords,
  wrong: '',
  refusal: (text) => `There is no export for ${text}`,
  example: `There are: ${formatWords.join(', ')}.`,
  parse: (text) => formatWords.find((word) => word === text),
  print: String,
};

export const exportCommand = commandOf<Host>()({
  doc: 'Prints the configuration: as a description for apply, or as that of another target.',
  details: [
    'In a description, what is as in a new object is left out, and secrets are variables of the environment, TCLI_SECRET_1 and so on, unless secrets=true.',
    'For LIO, an object without its secrets says which they are, as secrets_left_out. Where such a file is restored, secrets that are there stay; what has none lets nobody in.',
    'For tgt, a secret is a random word unless secrets=true, so that nobody gets in by it. What that one cannot say is a comment: disks without a file or device, LUN 0, which is a controller in tgt, and the ACLs of a TPG that has an access list besides.',
  ],
  seeAlso: ['apply', 'import'],
  parameters: [
    required('format', formatType, 'What it is to be: yaml, json, schema, tgt or lio.', {
      suggest: () => Object.entries(formats),
    }),
    optional('secrets', types.bool, 'With the secrets, in clear text.', { default: false }),
  ],
  examples: [
    { line: 'export yaml', does: 'Prints a description of what there is.' },
    { line: 'export tgt', does: 'Prints a targets.conf.' },
    { line: 'export lio', does: 'Prints a saveconfig.json without secrets.' },
  ],
  async run({ root }, { print }, { format, secrets }) {
    if (format === 'tgt') return print(exportTargetsConf(root.tree, secrets === true).trimEnd());
    if (format === 'lio') {
      const saved = dumpTree(root.tree);
      return print(formatSaved(secrets ? saved : withoutSecretValues(saved)).trimEnd());
    }
    if (format === 'schema') return print(JSON.stringify(descriptionSchema, null, 2));
    const described = await describeTree(root.tree, secrets ? 'plain' : 'variables');
    print((await printDescription(described, format)).trimEnd());
  },
});
