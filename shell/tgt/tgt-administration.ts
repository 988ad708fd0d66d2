/** The work of tgt-admin: it makes the targets that exist equal to those of a file, by commands of tgtadm. */

import { existsSync, statSync } from 'node:fs';
import { OperatorError } from '../../src/client.ts';
import { wordsOf } from './command-words.ts';
import { dumpTargets, isAddressRule } from './dump-targets.ts';
import { repeatedOption, storeCommands, usersOf } from './store-commands.ts';
import { type FileOptions, readTargetsFile, storeKinds, type TargetSection, type TargetsFile } from './targets-file.ts';
import { type ShownTarget, type Streams, Tgtadm, ToolEnded } from './tgt-commands.ts';

/** The words of its command line. */
export interface AdminWords {
  /** The file; undefined: the usual one. */
  readonly file: string | undefined;
  readonly port: string;
  readonly ignoreErrors: boolean;
  readonly force: boolean;
  readonly pretend: boolean;
  readonly verbose: boolean;
  /** Whether targets are made anew. */
  readonly isUpdate: boolean;
}

/** The file that is read unless another one is named. */
export const defaultFile = '/etc/tgt/targets.conf';

/** The exit status for a file that cannot be read: Perl dies with it. */
const unreadable = 255;
/** The error number (errno(3)) with which Perl dies for a file that is not there. */
const ENOENT = 2;

/** Whether a key is a text key of a target, or says whether it is ready. */
const isTargetKey = (name: string): boolean =>
  name.startsWith('state') ||
  /^(Max(Recv|Xmit)DataSegmentLength|(Header|Data)Digest|InitialR2T|MaxOutstandingR2T|ImmediateData|(First|Max)BurstLength|Data(PDU|Sequence)InOrder|ErrorRecoveryLevel|[IO]FMark(er|Int)|DefaultTime2(Wait|Retain)|MaxConnections)$/.test(
    name,
  );

const isGlobal = (name: string): boolean =>
  /^(default-driver|ignore-errors|control-port|iSNS(ServerIP|ServerPort|AccessControl)?)$/.test(name);

const onlyOnce = (name: string): string =>
  `Multiple ${name} definitions are not allowed!\nCheck your config file for errors.\n`;

/** The lowest number from 1 on that no LUN has. */
function firstFree(luns: readonly string[]): string {
  let lun = 1;
  while (luns.includes(String(lun))) lun += 1;
  return String(lun);
}

/** Whether a path names a file or device, and no folder. */
const isMedium = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() === false;

const ruleOption = (rule: string): string => (isAddressRule(rule) ? '-I' : '-Q');

/** One run of tgt-admin. */
export class Administration {
  readonly #words: AdminWords;
  readonly #streams: Streams;
  readonly #environment: NodeJS.ProcessEnv;
  readonly #tgtadm: Tgtadm;
  #port: string;
  #ignoreErrors: boolean;
  #file: TargetsFile = { globals: new Map(), targets: [] };
  /** The targets by name, at the last look. */
  #there = new Map<string, ShownTarget>();
  /** The numbers of targets by name, new ones included. */
  readonly #tids = new Map<string, number>();
  #tid = 0;
  readonly #accounts = new Set<string>();

  constructor(environment: NodeJS.ProcessEnv, streams: Streams, words: AdminWords) {
    this.#words = words;
    this.#streams = streams;
    this.#environment = environment;
    this.#tgtadm = new Tgtadm(environment, (text) => streams.complain(text));
    this.#port = words.port;
    this.#ignoreErrors = words.ignoreErrors;
  }

  show(): Promise<void> {
    return this.#run(`tgtadm -C ${this.#port} --op show --mode target`);
  }

  /** Makes the targets of the file that do not exist, and removes those that are not in it. */
  async execute(): Promise<void> {
    await this.#readFile();
    await this.#look();
    await this.#lookAtAccounts();
    await this.#globals();
    for (const section of this.#file.targets) {
      if (this.#there.has(section.name)) await this.#run(`# Target ${section.name} already exists!`);
      else await this.#make(section, this.#tid + 1);
    }
    if (this.#file.targets.length === 0) return;
    await this.#run('');
    await this.#look();
    const wanted = new Set(this.#file.targets.map(({ name }) => name));
    for (const name of this.#there.keys()) if (!wanted.has(name)) await this.#remove(name);
  }

  async update(which: string): Promise<void> {
    await this.#lookAtAccounts();
    await this.#readFile();
    await this.#look();
    const wanted = this.#file.targets.map(({ name }) => name);
    const isThere = (name: string) => this.#there.has(name);
    if (which === 'ALL') {
      const others = [...this.#there.keys()].filter((name) => !wanted.includes(name));
      for (const name of [...others, ...wanted]) await this.#updateOne(name);
      return;
    }
    const byNumber = /^tid=(.+)/.exec(which)?.[1];
    const name = byNumber === undefined ? which : this.#nameOf(byNumber);
    if (name === undefined || (byNumber !== undefined && !isThere(name)))
      this.#end(`There is no target with tid ${byNumber}, can't continue!\n`);
    await this.#updateOne(name);
  }

  async delete(which: string): Promise<void> {
    await this.#look();
    if (which === 'ALL') for (const name of this.#there.keys()) await this.#remove(name);
    else {
      const number = /^tid=(.+)/.exec(which)?.[1];
      await this.#remove(number === undefined ? which : this.#nameOf(number), number);
    }
  }

  async setState(which: string, state: 'offline' | 'ready'): Promise<void> {
    await this.#look();
    const set = (words: string) =>
      this.#run(`tgtadm -C ${this.#port} --op update --mode target --tid=${words} -n state -v ${state}`);
    const number = /tid=(.+)/.exec(which)?.[1];
    if (which === 'ALL') for (const { tid } of this.#there.values()) await set(String(tid));
    else if (number !== undefined) await set(number);
    else {
      const target = this.#there.get(which);
      if (!target) this.#end(`There is no target with name "${which}", can't ${state} it!\n`);
      // tgt-admin gives the target's name in an option, and the parameter's option then replaces it.
      await set(`${target.tid} --name="${which}"`);
    }
  }

  async dump(): Promise<void> {
    await this.#look();
    this.#streams.say(dumpTargets([...this.#there.values()]));
  }

  #end(text: string): never {
    this.#streams.say(text);
    throw new ToolEnded(1);
  }

  /** Runs a command of tgtadm, or shows it; a comment is only shown. */
  async #run(line: string): Promise<void> {
    const { pretend, verbose } = this.#words;
    const { say, complain } = this.#streams;
    if (pretend || verbose) say(`${line}\n`);
    if (pretend || line === '' || line.startsWith('#')) return;
    const { status, output, error } = await this.#tgtadm.run(wordsOf(line).slice(1));
    say(output);
    complain(error);
    if (status === 0 || this.#ignoreErrors) return;
    say(`Command:\n\t${line}\nexited with code: ${status}.\n`);
    throw new ToolEnded(status);
  }

  async #readFile(): Promise<void> {
    const { file = defaultFile } = this.#words;
    const die = (text: string, status: number): never => {
      this.#streams.complain(`${text}\n`);
      throw new ToolEnded(status);
    };
    if (!existsSync(file)) die(`Config file ${file} not found. Exiting...`, ENOENT);
    if (this.#words.file !== undefined) await this.#run(`# Using ${file} as configuration file\n`);
    try {
      this.#file = readTargetsFile(file);
    } catch (error) {
      if (!(error instanceof OperatorError)) throw error;
      die(error.message, unreadable);
    }
  }

  async #look(): Promise<void> {
    this.#there = new Map((await this.#tgtadm.targets('-C', this.#port)).map((target) => [target.name, target]));
    for (const { name, tid } of this.#there.values()) this.#tids.set(name, tid);
    this.#tid = Math.max(0, ...this.#tids.values());
  }

  async #lookAtAccounts(): Promise<void> {
    const shown = await this.#tgtadm.shown('-C', this.#port, '--op', 'show', '--mode', 'account');
    for (const [, name = ''] of shown.matchAll(/^\s+(.*?)$/gm)) this.#accounts.add(name);
  }

  #nameOf(number: string): string | undefined {
    return [...this.#there.values()].find(({ tid }) => String(tid) === number)?.name;
  }

  /** Removes a target. @param name undefined: of a number that no target has */
  async #remove(name: string | undefined, number?: string): Promise<'in use' | undefined> {
    const target = name === undefined ? undefined : this.#there.get(name);
    const tid = target?.tid ?? (name === undefined ? undefined : this.#tids.get(name));
    const port = this.#port;
    const { force, isUpdate } = this.#words;
    if (target && target.connections.length > 0) {
      if (!force) {
        await this.#run(
          `# Target with tid ${tid} (${name}) is in use, it won't be ${isUpdate ? 'updated' : 'deleted'}.`,
        );
        return 'in use';
      }
      await this.#run(`# Removing target: ${name}`);
      for (const rule of target.rules)
        await this.#run(`tgtadm -C ${port} --op unbind --mode target --tid ${tid} ${ruleOption(rule)} ${rule}`);
      for (const { sid, cid } of target.connections)
        await this.#run(`tgtadm -C ${port} --op delete --mode conn --tid ${tid} --sid ${sid} --cid ${cid}`);
      await this.#run(`tgtadm -C ${port} --mode target --op delete --tid=${tid}`);
    } else if (tid !== undefined) {
      await this.#run(`# Removing target: ${name}`);
      await this.#run(`tgtadm -C ${port} --mode target --op delete --tid=${tid}`);
    } else {
      const what = number === undefined ? `name ${name}` : `tid ${number}`;
      await this.#run(`# Target with ${what} does not exist!`);
    }
    if (target) await this.#run('');
    return undefined;
  }

  async #updateOne(name: string): Promise<void> {
    const section = this.#file.targets.find((one) => one.name === name);
    const target = this.#there.get(name);
    if (!section && target) return void (await this.#remove(name));
    await this.#globals();
    if (!section) {
      if (this.#file.targets.length > 0)
        this.#end(
          `Target ${name} is currently not configured\nand does not exist in the config file - can't continue!\n`,
        );
      return;
    }
    const inUse = (await this.#remove(name)) === 'in use';
    const { pretend } = this.#words;
    const next = pretend ? this.#tid + 1 : Math.max(0, ...this.#tids.values()) + 1;
    if (!inUse) await this.#make(section, target?.tid ?? next);
    await this.#run('');
  }

  /** The settings of the file outside of targets, in the order of their names. */
  async #globals(): Promise<void> {
    const { globals } = this.#file;
    const shown = await this.#tgtadm.shown('-C', this.#port, '--op', 'show', '--mode', 'sys');
    const hasIsns = shown.includes('iSNS=On');
    for (const [name, values] of globals) {
      const [value = ''] = values;
      if (name.endsWith('discoveryuser')) await this.#discoveryUsers(name, values);
      else if (isGlobal(name) && values.length > 1) this.#end(onlyOnce(name));
      else if (name === 'ignore-errors') this.#ignoreErrors ||= value === 'yes';
      else if (/^iSNS./.test(name) && isGlobal(name) && !hasIsns) await this.#setSystem(name, value);
    }
    const port = globals.get('control-port')?.[0] ?? this.#port;
    if (this.#port !== '0' && this.#port !== port) this.#end(onlyOnce('control-port'));
    this.#port = port;
    const isns = globals.get('iSNS')?.[0];
    if (isns !== undefined) await (hasIsns ? this.#run('# iSNS already enabled') : this.#setSystem('iSNS', isns));
    if (!globals.has('default-driver')) await this.#run('# default-driver not defined, defaulting to iscsi.\n');
  }

  #setSystem(name: string, value: string): Promise<void> {
    return this.#run(`tgtadm -C ${this.#port} --op update --mode sys --name ${name} -v ${value}`);
  }

  async #discoveryUsers(name: string, values: readonly string[]): Promise<void> {
    for (const value of values) {
      const user = await this.#account(`tgtadm -C ${this.#port}`, value, name, '');
      const extra = name === 'outgoingdiscoveryuser' ? ' --outgoing' : '';
      await this.#run(`tgtadm -C ${this.#port} --mode account --op bind --user=${user} ${extra}`);
    }
  }

  /** Makes an account that does not exist. @returns its name */
  async #account(begin: string, value: string, option: string, target: string): Promise<string> {
    const [user = '', secret] = value.split(/\s+/);
    if (secret === undefined) this.#missing(option, target);
    if (!this.#accounts.has(user))
      await this.#run(`${begin} --mode account --op new --user=${user} --password=${secret}`);
    this.#accounts.add(user);
    return user;
  }

  #missing(option: string, target: string): never {
    return this.#end(
      `\nOption ${option} has a missing value!\nCheck your config file for errors (target: ${target})\n`,
    );
  }

  /** Makes a target. @param next its number, unless the file gives one */
  async #make(section: TargetSection, next: number): Promise<void> {
    const { name, options, stores } = section;
    for (const [option, values] of options) if (values.includes('')) this.#missing(option, name);
    const tid = Number(options.get('controller_tid')?.[0] ?? next);
    const driver = options.get('driver')?.[0] ?? this.#file.globals.get('default-driver')?.[0] ?? 'iscsi';
    const begin = `tgtadm -C ${this.#port} --lld ${driver}`;
    this.#tid = tid;
    this.#tids.set(name, tid);
    await this.#run(`# Adding target: ${name}`);
    await this.#run(`${begin} --op new --mode target --tid ${tid} -T ${name}`);
    const luns = new Map<string, string>();
    for (const all of stores.values())
      for (const [path, own] of all) {
        const [lun] = own.get('lun') ?? [];
        if (lun !== undefined) luns.set(path, lun);
      }
    for (const option of [...new Set([...options.keys(), ...storeKinds])].toSorted()) {
      const values = options.get(option) ?? [];
      if (storeKinds.includes(option)) {
        for (const [path, own] of stores.get(option) ?? [])
          await this.#addStore(section, begin, tid, { path, own, luns, kind: option });
      } else await this.#option(begin, name, tid, option, values);
    }
    // With names alone tgt-admin lets every address in besides, against its own manual. Here only the names are let in, as the file means it.
    if (!options.has('initiator-address') && !options.has('initiator-name'))
      await this.#run(`${begin} --op bind --mode target --tid ${tid} -I ALL`);
  }

  async #option(begin: string, name: string, tid: number, option: string, values: readonly string[]): Promise<void> {
    const first = `# Warning: only one ${option} is allowed. Will only use the first one.`;
    if (option === 'incominguser')
      for (const value of values) {
        const user = await this.#account(begin, value, option, name);
        await this.#run(`${begin} --mode account --op bind --tid=${tid} --user=${user}`);
      }
    else if (option === 'outgoinguser') {
      if (values.length > 1) await this.#run(first);
      const user = await this.#account(begin, values[0] ?? '', option, name);
      await this.#run(`${begin} --mode account --op bind --tid=${tid} --user=${user} --outgoing`);
    } else if (option === 'initiator-address' || option === 'initiator-name') {
      const letter = option === 'initiator-name' ? '-Q' : '-I';
      for (const value of values) await this.#run(`${begin} --op bind --mode target --tid ${tid} ${letter} ${value}`);
    } else if (isTargetKey(option)) {
      if (values.length > 1) await this.#run(first);
      await this.#run(`${begin} --mode target --op update --tid ${tid} --name ${option} --value ${values[0]}`);
    }
  }

  async #addStore(
    { name, options }: TargetSection,
    begin: string,
    tid: number,
    { path, own, luns, kind }: { path: string; own: FileOptions; luns: Map<string, string>; kind: string },
  ): Promise<void> {
    const isElsewhere = /glfs|rbd/.test(options.get('bs-type')?.[0] ?? '');
    const mayBeInUse =
      this.#words.force || [own, options].some((words) => words.get('allow-in-use')?.[0] === 'yes') || isElsewhere;
    const { inUse, lines } = mayBeInUse ? { inUse: false, lines: [] } : usersOf(path, this.#environment);
    for (const line of lines) await this.#run(line);
    if (inUse) {
      await this.#run(`# Skipping device ${path} - it is in use.`);
      await this.#run("# You can override it with --force or 'allow-in-use yes' config option.");
      await this.#run("# Note - do so only if you know what you're doing, you may damage your data.");
      return;
    }
    if (!isElsewhere && !isMedium(path)) {
      await this.#run(`# Skipping device: ${path}`);
      await this.#run(`# ${path} does not exist - please check the configuration file`);
      return;
    }
    if (!luns.has(path)) luns.set(path, firstFree([...luns.values()]));
    const lun = options.get('lun')?.[0] ?? luns.get(path)!;
    const store = { path, isDirect: kind === 'direct-store', lun, own, ofTarget: options };
    if ([...own.values()].some((values) => values.includes(''))) this.#missing(kind, name);
    const twice = repeatedOption(store);
    if (twice !== undefined)
      this.#end(
        `Multiple '${twice}' definitions in '${kind}' not allowed!\nCheck your config file for errors (target: ${name}).\n`,
      );
    for (const line of storeCommands(store, begin, tid)) await this.#run(line);
  }
}
