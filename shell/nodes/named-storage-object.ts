/** Finds the storage object that an operator means: a node, or a file or device of which one is made. */

import { type Stats, statSync } from 'node:fs';
import { backstores, OperatorError, type Parameter, type StorageObject, type Tree } from '../../src/index.ts';
import type { Context } from '../session/node.ts';
import { createStorageObject } from './create-storage-object.ts';

/** Finds or makes it. @throws OperatorError with `message` when `text` is neither */
export async function storageObjectNamed(text: string, context: Context, message: string): Promise<StorageObject> {
  const { tree } = context.host.root;
  const found = tree.storageObject(pathOf(text, context));
  if (found) return found;
  const file = context.fileNamed(text);
  const stats = statOf(file);
  const isDevice = stats?.isBlockDevice() === true;
  const kind = parameterKind(isDevice ? 'block-device' : 'file');
  if (!kind || !(isDevice || stats?.isFile()))
    throw new OperatorError(message, `${text} is no storage object and no file; ${meantIn(tree, text)}`);
  // As LIO's library does without being asked otherwise: nothing is answered before it is stored.
  const safe = kind.backstore.parameters.some(({ name }) => name === 'write_back') ? { write_back: false } : {};
  const name = file.slice(1).replaceAll('/', '-');
  const values = { name, [kind.parameter.name]: file, ...safe };
  await createStorageObject(context, kind.backstore, values, `Created storage object ${name}.`);
  return tree.storageObject(`/backstores/${kind.backstore.name}/${name}`)!;
}

/** The storage objects of that name, wherever they are. */
function meantIn(tree: Tree, text: string): string {
  const same = [...tree.allStorageObjects()].filter(({ name }) => name === text).map(({ path }) => path);
  return same.length > 0 ? `did you mean ${same.join(' or ')}?` : 'see: ls /backstores';
}

function pathOf(text: string, { resolve }: Context): string {
  try {
    return resolve(text).path;
  } catch (error) {
    if (error instanceof OperatorError) return text;
    throw error;
  }
}

const statOf = (path: string): Stats | undefined => {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
};

/** The kind of backstore whose record says that it is made of a file, or of a device. */
function parameterKind(kind: Parameter['kind']) {
  for (const backstore of backstores) {
    const parameter = backstore.parameters.find((one) => one.kind === kind);
    if (parameter) return { backstore, parameter };
  }
  return undefined;
}
