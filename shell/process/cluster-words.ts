/** Reads the words after `tcli cluster`. */

import { OperatorError, type OwnersWish } from '../../src/client.ts';

/** The words behind `cluster`. */
export type ClusterWords =
  | { readonly action: 'leave' }
  | { readonly action: 'status'; readonly json: boolean }
  | { readonly action: 'owners'; readonly wish: OwnersWish }
  | {
      readonly action: 'join';
      readonly endpoints: string;
      readonly name: string;
      readonly cluster: string;
      readonly ca?: string;
      readonly cert?: string;
      readonly key?: string;
      readonly userFile?: string;
      readonly replace: boolean;
    };

/** The options of `join` that have a value, and what they are called here. */
const options: Readonly<Record<string, string>> = {
  '--name': 'name',
  '--cluster': 'cluster',
  '--ca': 'ca',
  '--cert': 'cert',
  '--key': 'key',
  '--user-file': 'userFile',
};

/** @throws OperatorError */
export function readCluster(words: readonly string[], wantsJson: boolean): ClusterWords {
  const [action = '', ...more] = words.flatMap((word) =>
    /^--\w[\w-]*=/.test(word) ? [word.slice(0, word.indexOf('=')), word.slice(word.indexOf('=') + 1)] : [word],
  );
  const rest = more.filter((word) => word !== '--json');
  const strange = () => new OperatorError(`cluster ${action} does not take ${rest[0]}`, 'See: tcli cluster --help');
  if (action === 'status' || action === 'leave') {
    if (rest.length > 0) throw strange();
    return action === 'leave' ? { action } : { action, json: wantsJson || rest.length < more.length };
  }
  const wish = wishOf(action, rest);
  if (wish) return { action: 'owners', wish };
  if (action !== 'join')
    throw new OperatorError(
      'cluster takes one of: join, leave, status, move, prefer, drain, undrain',
      'See: tcli cluster --help',
    );
  const given: Record<string, string> = {};
  let endpoints: string | undefined;
  let replace = false;
  while (rest.length > 0) {
    const [word = '', value] = rest;
    const name = Object.hasOwn(options, word) ? options[word] : undefined;
    if (word === '--replace') replace = true;
    else if (name !== undefined && value !== undefined) given[name] = rest.splice(1, 1)[0]!;
    else if (name === undefined && !word.startsWith('-') && endpoints === undefined) endpoints = word;
    else throw name === undefined ? strange() : new OperatorError(`${word} needs a value`, 'See: tcli cluster --help');
    rest.shift();
  }
  const { name, cluster = 'tcli', ...files } = given;
  if (endpoints === undefined || name === undefined)
    throw new OperatorError(
      'To join, the members of etcd and a name for this gateway have to be given.',
      'For example: tcli cluster join https://10.0.0.1:2379,https://10.0.0.2:2379 --name gw-a',
    );
  return { action, endpoints, name, cluster, replace, ...files };
}

/** An action that changes which gateway serves a unit. @returns undefined for another action @throws OperatorError */
function wishOf(action: string, words: readonly string[]): OwnersWish | undefined {
  const [first, to] = words;
  const isWhole = (least: number, most: number) => {
    if (words.length >= least && words.length <= most) return;
    const form = most === 1 ? 'GATEWAY' : `STORAGE-OBJECT ${least === 1 ? '[GATEWAY]' : 'GATEWAY'}`;
    throw new OperatorError(
      `It is: tcli cluster ${action} ${form}`,
      'tcli cluster status shows the storage objects and gateways.',
    );
  };
  switch (action) {
    case 'move':
      isWhole(2, 2);
      return { move: first!, to: to! };
    case 'prefer':
      isWhole(1, 2);
      return { prefer: first!, ...(to !== undefined && { to }) };
    case 'drain':
    case 'undrain':
      isWhole(1, 1);
      return { drain: first!, on: action === 'drain' };
    default:
      return undefined;
  }
}
