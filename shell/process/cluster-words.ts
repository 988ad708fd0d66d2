/** Makes of the words after `tcli cluster` what is to be done. */

import { OperatorError, type OwnersWish } from '../../src/client.ts';
import type { ProgramWordName } from './program.ts';
import { readWord } from './program-words.ts';

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

/** The words of the program that are about clusters. */
type ClusterWord = Extract<ProgramWordName, `cluster ${string}`>;

/** Reads the words behind one of them. @param json whether data was asked for before it @throws OperatorError */
export function readCluster(name: ClusterWord, rest: readonly string[], json: boolean): ClusterWords {
  switch (name) {
    case 'cluster leave':
      readWord(name, rest);
      return { action: 'leave' };
    case 'cluster status':
      return { action: 'status', json: readWord(name, rest).has('--json') || json };
    case 'cluster join':
      return joining(rest);
    case 'cluster move': {
      const [move = '', to = ''] = readWord(name, rest).operands;
      return { action: 'owners', wish: { move, to } };
    }
    case 'cluster prefer': {
      const [prefer = '', to] = readWord(name, rest).operands;
      return { action: 'owners', wish: { prefer, ...(to !== undefined && { to }) } };
    }
    case 'cluster drain':
    case 'cluster undrain': {
      const [drain = ''] = readWord(name, rest).operands;
      return { action: 'owners', wish: { drain, on: name === 'cluster drain' } };
    }
  }
}

function joining(words: readonly string[]): ClusterWords {
  const given = readWord('cluster join', words);
  const [endpoints] = given.operands;
  const [name, ca, cert, key, userFile] = (['--name', '--ca', '--cert', '--key', '--user-file'] as const).map((one) =>
    given.value(one),
  );
  if (endpoints === undefined || name === undefined)
    throw new OperatorError(
      'To join, the members of etcd and a name for this gateway have to be given.',
      'For example: tcli cluster join https://10.0.0.1:2379,https://10.0.0.2:2379 --name gw-a',
    );
  return {
    ...{ action: 'join', endpoints, name },
    cluster: given.value('--cluster') ?? 'tcli',
    replace: given.has('--replace'),
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    ...(userFile !== undefined && { userFile }),
  };
}
