/** `share` and `unshare` of the root: they make a served disk of a file or a device, and take it back, in one command and one change. */

import { existsSync, realpathSync, statSync } from 'node:fs';
import { hostname, machine } from 'node:os';
import { basename } from 'node:path';
import {
  authProblem,
  blockDeviceBytes,
  type Host,
  iqnOf,
  labelsOf,
  type Operation,
  OperatorError,
  printAccessList,
  printPortal,
  printSize,
  type Root,
  type StorageObject,
  setAttribute,
  type Tpg,
  types,
  type ValueType,
} from '../../src/index.ts';
import { newSecret, secretOf } from '../session/given-secret.ts';
import { type Context, commandOf, optional, required } from '../session/node.ts';
import { describeAccessList, ruleOf } from './access.ts';
import { mayDelete, sessionsIn } from './in-use.ts';
import { instructions } from './share-instructions.ts';

const defaultPort = 3260;
/** The label of a target and of a storage object that `share` made: `unshare` removes those. */
const madeHere = 'share=yes';

/** The words of a share; settings without a word stay, or get a new share's defaults. */
interface Wish {
  readonly path: string;
  readonly size: number | undefined;
  readonly name: string | undefined;
  readonly allow: readonly string[] | undefined;
  readonly chap: { readonly userid: string; readonly password: string } | undefined;
  readonly readOnly: boolean | undefined;
  readonly port: number | undefined;
}

/** A target with one LUN that `share` made. */
interface Share {
  readonly tpg: Tpg;
  readonly unit: StorageObject;
}

export const share = commandOf<Host>()({
  doc: 'Serves a file or a block device: makes a target with it as LUN 0, which every initiator may use. Without a path it lists what is shared.',
  details: [
    'A file that is not there is made when a size is given. A device has its own size; one that is mounted is refused.',
    'The same command again changes nothing. With other words it changes what they say, and nothing else.',
  ],
  seeAlso: ['unshare', 'sessions'],
  parameters: [
    optional('path', types.string, 'The file or device.', { kind: 'file' }),
    optional('size', types.size as ValueType<number>, 'The size of a file that is to be made: 5G.'),
    optional('allow', types.string, 'Who may come: addresses, networks and names of initiators, separated by commas.'),
    optional('chap', types.string, 'The user name that initiators must give. Its secret is made and shown once.'),
    optional('password', types.string, 'The secret, instead of one that is made; password=@FILE, @env:NAME or @ask.'),
    optional('read_only', types.bool, 'Whether nobody may write.', { default: false }),
    optional('port', types.number as ValueType<number>, `The port; ${defaultPort} when absent.`),
    optional('name', types.string, "The target's name; made of this machine's and the file's when absent.", {
      kind: 'wwn',
    }),
  ],
  examples: [
    { line: 'share /dev/shm/tcli-example.img size=1M', does: 'Makes the file and serves it.' },
    { line: 'share', does: 'Lists what is shared.' },
  ],
  async run({ root }, context, { path, size, allow, chap, password: text, read_only, port, name }) {
    if (path === undefined) {
      if ([size, allow, chap, text, port, name].some((one) => one !== undefined) || read_only)
        throw new OperatorError('What is to be shared?', 'The path stands first: share /srv/disk.img size=5G');
      return list(root, context);
    }
    const file = context.fileNamed(path);
    const known = shareOf(root, file);
    if (text !== undefined && chap === undefined) throw new OperatorError('password needs chap=USER');
    const password = text === undefined ? undefined : await secretOf('password', text, context);
    const kept =
      known && known.tpg.auth.userid === chap && password === undefined ? known.tpg.auth.password : undefined;
    const secret = password ?? (kept || newSecret());
    const wish: Wish = {
      path: file,
      size,
      name,
      allow: allow === undefined ? undefined : allow.split(',').filter(Boolean),
      chap: chap === undefined ? undefined : { userid: chap, password: secret },
      readOnly: read_only,
      port,
    };
    if (!known && size === undefined && !existsSync(file))
      throw new OperatorError(`There is no ${path}.`, `To make it, say how large it is to be: share ${path} size=5G`);
    if (size !== undefined) refuseOtherSize(path, known ? sizeOf(known.unit) : bytesOf(file), size);
    const operations = known ? changes(known.tpg, wish) : [...creation(root, wish)];
    for (const one of operations) await context.apply(one.path, one.verb, one.params);
    const { tpg, unit } = shareOf(root, file)!;
    const problem = authProblem(tpg.auth);
    if (problem !== undefined) context.warn(problem);
    context.info(
      operations.length > 0
        ? `${file} (${printSize(sizeOf(unit))}) is LUN 0 of ${tpg.target.wwn}.`
        : `Nothing to change: ${file} is LUN 0 of ${tpg.target.wwn}.`,
    );
    const shown = chap !== undefined && kept === undefined && password === undefined ? secret : undefined;
    for (const line of instructions({
      address: addressIn(tpg),
      iqn: tpg.target.wwn,
      userid: tpg.attribute('authentication') === 1 ? tpg.auth.userid : '',
      secret: shown,
      seeSecret: `tcli ${tpg.path} get auth password`,
    }))
      context.print(line);
    if (!root.serving) context.warn('Nothing is served from here. To serve: tcli daemon start');
  },
  json({ root }, _context, { path }) {
    if (path !== undefined) throw new OperatorError('Only share without a path has a JSON form.');
    return shares(root).map(({ tpg, unit }) => ({
      path: pathOf(unit),
      size: sizeOf(unit),
      target: tpg.target.wwn,
      portals: tpg.portals.map(printPortal),
      access_list: tpg.accessList ?? null,
      chap_user: tpg.attribute('authentication') === 1 ? tpg.auth.userid : null,
      read_only: tpg.attribute('demo_mode_write_protect') === 1,
      sessions: root.sessions().filter(sessionsIn([tpg])).length,
    }));
  },
});

export const unshare = commandOf<Host>()({
  doc: 'Ends a share: its target goes, and sessions end. The file or device stays as it is.',
  seeAlso: ['share'],
  parameters: [
    required('path', types.string, 'The file or device.', {
      kind: 'file',
      suggest: ({ host }) => shares(host.root).map(({ unit }) => pathOf(unit)),
    }),
  ],
  examples: [
    {
      line: 'unshare /dev/shm/tcli-example.img',
      does: 'Serves it no more.',
      after: ['share /dev/shm/tcli-example.img size=1M'],
    },
  ],
  async run({ root }, context, { path }) {
    const file = context.fileNamed(path);
    const found = shareOf(root, file);
    if (!found) {
      const all = shares(root).map(({ unit }) => pathOf(unit));
      throw new OperatorError(`${path} is not shared.`, all.length > 0 ? `Shared: ${all.join(', ')}` : 'Nothing is.');
    }
    const { tpg, unit } = found;
    if (!(await mayDelete(context, file, { sessions: sessionsIn([tpg]), act: 'Unshare' }))) return;
    await context.apply('/iscsi', 'delete', { wwn: tpg.target.wwn });
    // A storage object that `share` did not make stays.
    if (unit.exports.size === 0 && labelsOf(unit).get('share') === 'yes')
      await context.apply(`/backstores/${unit.backstore.name}`, 'delete', { name: unit.name });
    context.info(`${file} is not shared any more. It stays as it is.`);
  },
});

function list(root: Root, { print }: Context): void {
  const all = shares(root);
  if (all.length === 0) print('(nothing is shared)');
  for (const { tpg, unit } of all) {
    const sessions = root.sessions().filter(sessionsIn([tpg])).length;
    const about = [
      printSize(sizeOf(unit)),
      ...(tpg.attribute('demo_mode_write_protect') === 1 ? ['read-only'] : []),
      tpg.accessList ? describeAccessList(tpg.accessList) : 'everybody',
      ...(tpg.attribute('authentication') === 1 ? [`CHAP user ${tpg.auth.userid}`] : []),
      ...(unit.missing === undefined ? [] : [`missing: ${unit.missing}`]),
      sessions === 1 ? '1 session' : `${sessions} sessions`,
    ];
    print(`${pathOf(unit)}  ${tpg.target.wwn}  ${tpg.portals.map(printPortal).join(' ')}  [${about.join(', ')}]`);
  }
}

function shares({ tree }: Root): Share[] {
  return [...tree.tpgs()].flatMap((tpg) => {
    const unit = tpg.luns.get(0)?.storageObject;
    return unit && labelsOf(tpg).get('share') === 'yes' ? [{ tpg, unit }] : [];
  });
}

const shareOf = (root: Root, path: string): Share | undefined => shares(root).find(({ unit }) => isOn(unit, path));

const pathOf = ({ backstore, config }: StorageObject): string => backstore.device?.(config) ?? '';
const sizeOf = (unit: StorageObject): number =>
  unit.size ?? Number(unit.config['size'] ?? blockDeviceBytes(pathOf(unit)) ?? 0);

/** The bytes of a file or a device; undefined: it is not there. */
const bytesOf = (path: string): number | undefined =>
  blockDeviceBytes(path) ?? statSync(path, { throwIfNoEntry: false })?.size;

/** @throws OperatorError when what is there is not as large as it was said to be */
function refuseOtherSize(path: string, bytes: number | undefined, wanted: number): void {
  if (bytes === undefined || bytes === wanted) return;
  throw new OperatorError(
    `${path} is there already, and has ${printSize(bytes)}, not ${printSize(wanted)}.`,
    `A size is for a file that is to be made. To share it as it is: share ${path}. Later: /backstores/… resize`,
  );
}

/** By whatever names: the same file. */
const isOn = (unit: StorageObject, path: string): boolean => real(pathOf(unit)) === real(path);
const real = (path: string): string => (existsSync(path) ? realpathSync(path) : path);

/** The address at which initiators reach it: an address of this machine, where it listens on all of them. */
function addressIn({ portals }: Tpg): { address: string; port: number } {
  const { address, port } = portals[0] ?? { address: '0.0.0.0', port: defaultPort };
  return { address, port };
}

/** The operations that make the target of a path that is not shared. */
function* creation(root: Root, wish: Wish): Generator<Operation> {
  const { tree } = root;
  const slug = basename(wish.path).replace(/[^A-Za-z0-9._-]/g, '-');
  let unit = [...tree.allStorageObjects()].find((one) => isOn(one, wish.path))?.path;
  if (!unit) {
    const isDevice = blockDeviceBytes(wish.path) !== undefined;
    const kind = isDevice ? 'block' : 'fileio';
    const name = free(slug, (word) => tree.storageObjectOf(kind, word) !== undefined);
    const params = isDevice
      ? { name, dev: wish.path }
      : { name, file_or_dev: wish.path, ...(wish.size !== undefined && { size: wish.size }) };
    yield { path: `/backstores/${kind}`, verb: 'create', params };
    unit = `/backstores/${kind}/${name}`;
    yield setAttribute(unit, 'labels', madeHere);
  }
  const { targets } = tree.fabric('iscsi');
  const end = slug.toLowerCase().replace(/[^a-z0-9.-]/g, '-');
  const wwn =
    wish.name?.toLowerCase() ??
    free(iqnOf({ hostName: hostname(), machine: machine() }, end), (word) => targets.has(word));
  const path = `/iscsi/${wwn}/tpg1`;
  yield { path: '/iscsi', verb: 'create', params: { wwn } };
  yield { path: `/iscsi/${wwn}`, verb: 'create', params: { tag: 1 } };
  yield setAttribute(path, 'labels', madeHere);
  yield setAttribute(path, 'generate_node_acls', 1);
  yield setAttribute(path, 'demo_mode_write_protect', wish.readOnly === true ? 1 : 0);
  yield* chap(path, wish, 0);
  yield { path: `${path}/luns`, verb: 'create', params: { storage_object: unit, lun: 0 } };
  if (wish.allow) yield { path, verb: 'restrict', params: accessOf(wish.allow) };
  yield { path: `${path}/portals`, verb: 'create', params: portalAt(wish.port ?? defaultPort) };
  yield { path, verb: 'enable', params: {} };
}

const portalAt = (port: number) => ({ ip_address: '0.0.0.0', ip_port: port });

function free(wanted: string, taken: (word: string) => boolean): string {
  let word = wanted;
  for (let more = 2; taken(word); more += 1) word = `${wanted}-${more}`;
  return word;
}

/** The access that words mean. @throws OperatorError */
function accessOf(words: readonly string[]) {
  const rules = words.map(ruleOf);
  const of = (part: 'addresses' | 'names') => rules.flatMap((one) => (one.part === part ? one.rule : []));
  return printAccessList({ addresses: of('addresses'), names: of('names') });
}

function* chap(path: string, { chap: words }: Wish, authentication: number): Generator<Operation> {
  if (!words) {
    if (authentication === 0) yield setAttribute(path, 'authentication', 0);
    return;
  }
  for (const [name, value] of Object.entries(words))
    yield { path, verb: 'set', params: { group: 'auth', name, value } };
  yield setAttribute(path, 'authentication', 1);
}

/** The operations for the parts of the wish that are not so yet. */
function changes(tpg: Tpg, wish: Wish): Operation[] {
  const { path } = tpg;
  const { allow, chap: words, readOnly, port, name } = wish;
  if (name !== undefined && name.toLowerCase() !== tpg.target.wwn)
    throw new OperatorError(`${wish.path} is shared as ${tpg.target.wwn}`, `To share it anew: unshare ${wish.path}`);
  const all: Operation[] = [];
  const writeProtect = readOnly ? 1 : 0;
  if (readOnly !== undefined && tpg.attribute('demo_mode_write_protect') !== writeProtect)
    all.push(setAttribute(path, 'demo_mode_write_protect', writeProtect));
  const access = allow && accessOf(allow);
  if (access && JSON.stringify(access) !== JSON.stringify(tpg.accessList && printAccessList(tpg.accessList)))
    all.push({ path, verb: 'restrict', params: access });
  const isSame = words && words.userid === tpg.auth.userid && words.password === tpg.auth.password;
  if (words && !(isSame && tpg.attribute('authentication') === 1)) all.push(...chap(path, wish, 1));
  if (port !== undefined && !tpg.portals.some((one) => one.port === port)) {
    all.push({ path: `${path}/portals`, verb: 'create', params: portalAt(port) });
    for (const one of tpg.portals)
      all.push({ path: `${path}/portals`, verb: 'delete', params: { ip_address: one.address, ip_port: one.port } });
  }
  return all;
}
