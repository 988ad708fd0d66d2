/** Configurations of other targets, each kind in a file of its own. The contents of a file say of which kind it is. */

import { OperatorError, reasonOf } from '../errors.ts';
import type { Tree } from '../operations/tree.ts';
import { ctlConf } from './ctl-conf.ts';
import { gotgtJson } from './gotgt-json.ts';
import { ietdConf } from './ietd-conf.ts';
import type { ImportKind } from './imported.ts';
import { type Plan, planOf } from './operations.ts';
import { SourceFiles } from './source-files.ts';
import { targetsConf } from './targets-conf.ts';

/** The kinds, in the order in which they are asked. */
export const importKinds: readonly ImportKind[] = [gotgtJson, ctlConf, targetsConf, ietdConf];

/** The operations that add the configuration in `path` to the tree. @throws OperatorError */
export async function planImport(tree: Tree, path: string): Promise<Plan & { readonly kind: string }> {
  let text: string;
  try {
    text = new SourceFiles().read(path);
  } catch (error) {
    throw new OperatorError(`Cannot read ${path}: ${reasonOf(error)}`);
  }
  const kind = importKinds.find((one) => one.recognises(text));
  if (!kind)
    throw new OperatorError(
      `${path} is no configuration that is known here`,
      `Known are ${importKinds.map(({ name }) => name).join(', ')}. LIO's saveconfig.json: restoreconfig ${path}`,
    );
  return { ...planOf(tree, kind.read(text, path)), kind: kind.name };
}
