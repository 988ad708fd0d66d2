/** The machine around a configuration, for `doctor`: its mounts, the mounts and units of a boot, the names of devices, its addresses. */

import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { homedir, userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import type { Home } from '../durable/home.ts';
import { ownAddresses } from '../system/own-addresses.ts';

/** A file system, and where it stands. */
export interface Mount {
  readonly point: string;
  readonly type: string;
}

/** The way in which a boot starts tcli. `written`: a unit is there, and nothing asks for it. */
export type BootStart = 'enabled' | 'written' | 'absent';

/** Whether a boot mounts a file system, and when, as tcli sees it. */
type AtBoot = 'before' | 'perhaps later' | 'not at all';

/** The options in fstab(5) of a file system for which a boot does not wait. */
const unwaited = ['noauto', 'nofail', '_netdev', 'x-systemd.automount'];

/** Types that are mounted by a service of their own, or by nobody: they need no line in fstab. */
const selfMounting = ['zfs', 'autofs', 'overlay', 'rootfs', 'tmpfs', 'ramfs', 'devtmpfs', 'squashfs'];

const systemUnits = 'etc/systemd/system';
const packagedUnits = ['usr/local/lib/systemd/system', 'usr/lib/systemd/system', 'lib/systemd/system'];
/** systemd.unit(5): units that generators made at this boot, and will make at the next. */
const generatedUnits = ['run/systemd/generator.early', 'run/systemd/generator', 'run/systemd/generator.late'];
const unitNames = ['tcli.service', 'tcli.socket', 'tcli-files.service'];

/** A machine as its files say it is. */
export class Machine {
  /** The addresses by which others may reach it. */
  readonly addresses: readonly string[];
  readonly #root: string;
  #mounts: readonly Mount[] | undefined;
  /** The names under /dev/disk/by-id by what they lead to, the shortest first. */
  #lastingNames: ReadonlyMap<string, string[]> | undefined;
  readonly #atBoot = new Map<string, AtBoot>();

  /** @param root the directory in which its files are */
  constructor(root = '/', addresses: readonly string[] = ownAddresses()) {
    this.#root = root;
    this.addresses = addresses;
  }

  /** Whether systemd runs here. */
  get hasSystemd(): boolean {
    return existsSync(this.#at('run/systemd/system'));
  }

  /** The mount that a path lies on: the last one of those that lie nearest. */
  mountOf(path: string): Mount | undefined {
    if (!path.startsWith('/')) return undefined;
    this.#mounts ??= mountsIn(this.#read('proc/self/mountinfo'));
    const real = realPath(path);
    let found: Mount | undefined;
    for (const mount of this.#mounts) {
      const { point } = mount;
      const isAbove = point === '/' || real === point || real.startsWith(`${point}/`);
      if (isAbove && point.length >= (found?.point.length ?? 0)) found = mount;
    }
    return found;
  }

  /** Whether a boot mounts it, and before it starts tcli. */
  atBoot(mount: Mount): AtBoot {
    const known = this.#atBoot.get(mount.point) ?? this.#lookAtBoot(mount);
    this.#atBoot.set(mount.point, known);
    return known;
  }

  #lookAtBoot({ point, type }: Mount): AtBoot {
    if (point === '/' || selfMounting.includes(type)) return 'before';
    const line = this.#read('etc/fstab')
      .split('\n')
      .map((text) => text.trim().split(/\s+/))
      .find(([device = '', where]) => !device.startsWith('#') && where !== undefined && plain(where) === point);
    if (line)
      return (line[3] ?? '').split(',').some((option) => unwaited.includes(option)) ? 'perhaps later' : 'before';
    const unit = `${point.slice(1).split('/').map(unitWord).join('-')}.mount`;
    const folders = [systemUnits, ...packagedUnits, ...generatedUnits];
    return folders.some((folder) => existsSync(this.#at(folder, unit))) ? 'before' : 'not at all';
  }

  /** The names of a device that stay with it, the shortest first. */
  lastingNamesOf(device: string): readonly string[] {
    const folder = this.#at('dev/disk/by-id');
    this.#lastingNames ??= Map.groupBy(
      namesIn(folder)
        .map((name) => join(folder, name))
        .sort((a, b) => a.length - b.length),
      realPath,
    );
    return this.#lastingNames.get(realPath(device)) ?? [];
  }

  /** Whether a boot starts tcli with the configuration of root, or of a user. */
  startOf(home: Home): BootStart {
    const units = isOwnDirectory(home)
      ? undefined
      : isSystem(home)
        ? { enabled: this.#at(systemUnits), written: [systemUnits, ...packagedUnits].map((one) => this.#at(one)) }
        : userUnits(home);
    if (!units) return this.#namesHome(dirname(home.saveFile)) ? 'enabled' : 'absent';
    const asks = namesIn(units.enabled).filter((name) => name.endsWith('.wants'));
    if (asks.some((folder) => unitNames.some((name) => isThere(join(units.enabled, folder), name)))) return 'enabled';
    return units.written.some((folder) => existsSync(join(folder, 'tcli.service'))) ? 'written' : 'absent';
  }

  /** Whether the services of a user run while the user is not logged in. */
  get lingers(): boolean {
    try {
      return existsSync(this.#at('var/lib/systemd/linger', userInfo().username));
    } catch {
      // The user of a container may have no name.
      return false;
    }
  }

  /** Whether a service of the system names a directory as tcli's home. */
  #namesHome(directory: string): boolean {
    const folder = this.#at(systemUnits);
    const files = namesIn(folder).flatMap((name) =>
      name.endsWith('.service.d') ? namesIn(join(folder, name)).map((one) => join(name, one)) : [name],
    );
    return files.some((name) => {
      const text = /\.(?:service|conf)$/.test(name) ? this.#read(join(systemUnits, name)) : '';
      return text.split('\n').some((line) => !/^\s*[#;]/.test(line) && namesAsHome(line, directory));
    });
  }

  #at(...parts: string[]): string {
    return join(this.#root, ...parts);
  }

  #read(path: string): string {
    try {
      return readFileSync(this.#at(path), 'utf8');
    } catch {
      return '';
    }
  }
}

/** Whether everything of a home is under one directory: `--home` or TCLI_HOME. */
export const isOwnDirectory = ({ saveFile, stateDirectory }: Home): boolean => dirname(saveFile) === stateDirectory;

/** Whether a home is root's. */
export const isSystem = ({ saveFile }: Home): boolean => saveFile.startsWith('/etc/');

const userUnits = ({ saveFile }: Home) => {
  // Beside the folder of tcli in that of the user's configuration.
  const own = join(dirname(dirname(saveFile)), 'systemd/user');
  return { enabled: own, written: [own, join(homedir(), '.local/share/systemd/user'), '/usr/lib/systemd/user'] };
};

/** Whether a line of a unit names a directory as tcli's home: the whole of a word, with quotes around it or not. */
const namesAsHome = (line: string, directory: string): boolean =>
  ['TCLI_HOME=', '--home=', '--home '].some((before) =>
    line.split(before).some((text, at) => {
      const word = text.trimStart().replace(/^["']/, '');
      return at > 0 && word.startsWith(directory) && /^\/?(?:["'\s]|$)/.test(word.slice(directory.length));
    }),
  );

const isThere = (folder: string, name: string): boolean => namesIn(folder).includes(name);

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

/** systemd.unit(5): a slash of a path is a dash in the name of its unit, and other signs are in hexadecimal digits. */
const unitWord = (word: string): string =>
  Array.from(Buffer.from(word), (byte) => {
    const sign = String.fromCharCode(byte);
    return /[\w:.]/.test(sign) ? sign : `\\x${byte.toString(16).padStart(2, '0')}`;
  }).join('');

/** Blanks are octal in the tables of mounts. */
const plain = (text: string) =>
  text.replace(/\\([0-7]{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8)));

/** proc(5) mountinfo: field 5 is the mount point; the one behind the dash is its type. */
const mountsIn = (table: string): Mount[] =>
  table
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      const [before = '', after = ''] = line.split(' - ');
      return { point: plain(before.split(' ')[4] ?? ''), type: after.split(' ')[0] ?? '' };
    });
