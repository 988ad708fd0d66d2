/** Creating a storage object as the preferences have it. */

import type { Backstore, Value, VolumeConfig } from '../../src/index.ts';
import { type Context, given } from '../session/node.ts';

/**
 * Creates a storage object and says so: with the kind's own line, or with `line`.
 * @throws OperatorError
 */
export async function createStorageObject(
  { apply, fileNamed, info, preferences }: Context,
  kind: Backstore,
  values: Readonly<Record<string, Value | undefined>>,
  line?: string,
): Promise<void> {
  const files = fileNames(kind, values, { fileNamed });
  const { operation } = await apply(`/backstores/${kind.name}`, 'create', given({ ...values, ...files }));
  const name = String(operation.params['name']);
  if (preferences.get('export_backstore_name_as_model')) {
    const model = { group: 'attribute', name: 'emulate_model_alias', value: '1' };
    await apply(`/backstores/${kind.name}/${name}`, 'set', model);
  }
  const { config } = operation.params['settled'] as unknown as { config: VolumeConfig };
  info(line ?? kind.created(name, config, operation.params));
}

/** The files and devices among the words of a kind, as the shell takes their names. */
export const fileNames = (
  { parameters }: Backstore,
  values: Readonly<Record<string, unknown>>,
  { fileNamed }: Pick<Context, 'fileNamed'>,
): Record<string, string> =>
  Object.fromEntries(
    parameters
      .filter((parameter) => parameter.kind === 'file' || parameter.kind === 'block-device')
      .flatMap(({ name }) => (typeof values[name] === 'string' ? [[name, fileNamed(values[name])]] : [])),
  );
