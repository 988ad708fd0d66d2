/** Checks the parameters of `create` of a storage object: its name, and the words of its kind. */

import { syntaxError } from '../attribute.ts';
import type { Backstore } from '../backstore/backstore.ts';
import { OperatorError } from '../errors.ts';
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
