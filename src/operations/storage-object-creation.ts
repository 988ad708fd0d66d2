/** Making a storage object: what `create` is given, its name and the words of its kind, and a medium that can be opened. */

import { syntaxError } from '../attribute.ts';
import type { Backstore, VolumeConfig } from '../backstore/backstore.ts';
import { OperatorError, reasonOf } from '../errors.ts';
import { StorageObject } from '../scsi/logical-unit.ts';
import type { ParameterValues, Value } from './operation.ts';
import { textOf } from './raw.ts';

const badName = /[/\s]/;
const nameBytesMax = 255;

/** The parameters of a kind's `create`, each read by its type: `"1M"` is the same size as 1048576. @throws OperatorError */
export function typedCreation<P extends { readonly name: string }>({ parameters }: Backstore, given: P): P {
  const { name: objectName, ...params } = given as { readonly name: string } & ParameterValues;
  const read = Object.entries(params).map(([name, value]) => {
    const type = parameters.find((one) => one.name === name)?.type;
    if (!type) throw new OperatorError(`Unexpected keyword parameter '${name}'.`);
    const typed = typeof value === 'object' ? undefined : type.parse(String(value));
    if (typed === undefined) throw new OperatorError(`${name}: ${syntaxError(type, textOf(value))}`);
    return [name, typed as Value] as const;
  });
  for (const { name, required } of parameters)
    if (required && params[name] === undefined) throw new OperatorError(`Missing required parameter ${name}`);
  return { name: objectName, ...Object.fromEntries(read) } as object as P;
}

/** Checks the name of a storage object. @throws OperatorError */
export function checkName(name: string): void {
  if (badName.test(name)) throw new OperatorError("A storage object's name cannot contain  /, newline or spaces/tabs");
  // The names `.` and `..` mean other nodes in a path.
  if (name === '.' || name === '..') throw new OperatorError(`A storage object cannot be called ${name}`);
  if (name === '' || Buffer.byteLength(name) > nameBytesMax)
    throw new OperatorError(`A storage object's name has 1 to ${nameBytesMax} bytes`);
}

/** @throws OperatorError when there is none of that name */
export function storageObjectNamed(named: ReadonlyMap<string, StorageObject>, name: string): StorageObject {
  const storageObject = named.get(name);
  if (!storageObject) throw new OperatorError(`No storage object named ${name}.`);
  return storageObject;
}

/**
 * A new storage object, of a medium that can be opened.
 * @returns with its volume, and `abandon`, which removes what was made for it
 * @throws OperatorError
 */
export async function made(
  backstore: Backstore,
  named: ReadonlyMap<string, StorageObject>,
  params: ParameterValues & { readonly name: string },
  wwn: string,
) {
  const { name } = params;
  const { config, notes, made } = await backstore.settle(params, configsOf(named));
  const abandon = async () => void (made && (await backstore.abandon?.(config)));
  try {
    const volume = await backstore.open(config);
    return { storageObject: new StorageObject({ backstore, name, config, wwn, volume }), volume, notes, abandon };
  } catch (error) {
    await abandon();
    throw error instanceof OperatorError ? error : new OperatorError(couldNotCreate(name, reasonOf(error)));
  }
}

/** The configurations of storage objects, by name; most kinds of backstore never look. */
function* configsOf(named: ReadonlyMap<string, StorageObject>): Generator<readonly [string, VolumeConfig]> {
  for (const { name, config } of named.values()) yield [name, config];
}

/** As rtslib says it. */
export const couldNotCreate = (name: string, reason: string): string =>
  `Could not create StorageObject ${name}: ${reason}`;
