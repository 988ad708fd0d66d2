/** user:qcow: a qcow2 image, with its snapshots, backing files and compression, by qemu-storage-daemon. */

import { dirname, isAbsolute, join } from 'node:path';
import { OperatorError } from '../errors.ts';
import { sizeWanted } from './backstore.ts';
import { readImage } from './qcow-image.ts';
import { openQcowVolume, qemuImg } from './qcow-volume.ts';
import { userBackstore } from './user.ts';

/** The option behind the path which says that the image may name other files of this machine, whose contents can then be read through it. */
const follows = ';backing=follow';

/** A qcow2 image. */
export const userQcow = userBackstore({
  handler: 'qcow',
  doc: 'A qcow2 image, by qemu-storage-daemon.',
  string: `The path of the image; qemu-img create -f qcow2 makes one. With ${follows} behind it, its backing and data files are followed wherever they are.`,
  example: 'disk0 1G /srv/disk0.qcow2',
  check(text) {
    const { path } = parse(text);
    if (!isAbsolute(path)) throw new OperatorError('cfgstring invalid: the path of an image begins with /');
  },
  async open(text, size) {
    const { path, mayFollow } = parse(text);
    return openQcowVolume(path, size, await standsAlone(path, size, mayFollow));
  },
  async resize(text, before, asked, served) {
    const size = sizeWanted(asked);
    // The loop that serves the image tells its daemon.
    if (served) return { size };
    const { path } = parse(text);
    if (size < before)
      return { size, finish: () => qemuImg(['resize', '-q', '-f', 'qcow2', '--shrink', path, String(size)]) };
    const found = await readImage(path);
    if (found && found.size >= size) return { size };
    await qemuImg(['resize', '-q', '-f', 'qcow2', path, String(size)]);
    return {
      size,
      undo: () => qemuImg(['resize', '-q', '-f', 'qcow2', '--shrink', path, String(found?.size ?? before)]),
    };
  },
  snapshots: {
    needs: 'An image that stands on other files has none here.',
    cloned: (text, name, where) => where ?? join(dirname(parse(text).path), `${name}.qcow2`),
  },
});

const parse = (text: string) =>
  text.endsWith(follows) ? { path: text.slice(0, -follows.length), mayFollow: true } : { path: text, mayFollow: false };

/** Whether an image stands alone. @throws OperatorError when it stands on another file, and may not. QEMU refuses a file that is no image */
async function standsAlone(path: string, size: number, mayFollow: boolean): Promise<boolean> {
  const { backing, hasDataFile = false } = (await readImage(path)) ?? {};
  if (backing === undefined && !hasDataFile) return true;
  if (mayFollow) return false;
  const what =
    backing === undefined ? 'has its data in another file' : `stands on another file, ${JSON.stringify(backing)}`;
  throw new OperatorError(
    `The image ${path} ${what}`,
    `Whoever made the image chose that file, and initiators would read it. If it is meant: changemedium NAME ${size} "${path}${follows}", or at create: "${path}${follows}"`,
  );
}
