// The refusals of the door before anything changes, whoever asks: the shell's own checks are not in front of it here.

import { expect, it } from 'vitest';
import { Tree } from '../../src/operations/tree.ts';
import { door, worldly } from '../../src/saved/operations.ts';

const carryOut = (tree: Tree, path: string, verb: string, params: object) =>
  door.carryOut(tree, { path, verb, params: params as never }, { ...worldly, serving: false, restoring: false });

it.each(['constructor', 'toString', '', '2', 'yes'])(
  'discovery is not made to ask for CHAP by the word %j',
  async (value) => {
    const tree = new Tree();
    const set = carryOut(tree, '/iscsi', 'set', { group: 'discovery_auth', name: 'enable', value });
    await expect(set).rejects.toThrow(`Not setting enable! Syntax error, '${value}' is not a NUMBER.`);
    expect(tree.fabrics.get('iscsi')!.discoveryAuthEnabled).toBe(false);
  },
);
