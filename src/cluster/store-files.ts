/** Files that prove to etcd who we are, and to us who it is. */

import { readFileSync, statSync } from 'node:fs';
import { OperatorError, reasonOf } from '../errors.ts';
import type { EtcdCertificates } from './etcd-connection.ts';

/** Where they are. */
export interface StoreFiles {
  /** PEM: who may sign etcd's certificate; absent: who the system trusts. */
  readonly ca?: string | undefined;
  /** PEM: our certificate, and its key. */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** One line, `USER:PASSWORD`. */
  readonly userFile?: string | undefined;
}

/** The contents of these files. */
export interface StoreSecrets extends EtcdCertificates {
  readonly user?: string;
  readonly password?: string;
}

const bytesMax = 1 << 20;
/** Rights of a group and of others. */
const othersMode = 0o077;

/** @throws OperatorError for one that cannot be read, says nothing, or is for more eyes than ours */
export function readSecrets({ ca, cert, key, userFile }: StoreFiles): StoreSecrets {
  if ((cert === undefined) !== (key === undefined))
    throw new OperatorError(
      'A certificate needs its key, and a key its certificate.',
      'Give both: --cert FILE --key FILE',
    );
  const line = userFile === undefined ? undefined : secretIn(userFile).toString('utf8').split('\n', 1)[0]!.trim();
  const [, user, password] = /^([^:]+):(.+)$/.exec(line ?? '') ?? [];
  if (userFile !== undefined && password === undefined)
    throw new OperatorError(`${userFile} does not say who we are.`, 'Its first line is: USER:PASSWORD');
  return {
    ...(ca !== undefined && { ca: contentOf(ca) }),
    ...(cert !== undefined && { cert: contentOf(cert) }),
    ...(key !== undefined && { key: secretIn(key) }),
    ...(user !== undefined && password !== undefined && { user, password }),
  };
}

function secretIn(path: string): Buffer {
  const content = contentOf(path);
  if ((statSync(path).mode & othersMode) !== 0)
    throw new OperatorError(`${path} can be read by others.`, `It holds a secret: chmod 600 ${path}`);
  return content;
}

function contentOf(path: string): Buffer {
  try {
    const { size } = statSync(path);
    if (size > bytesMax) throw new Error('it is too large to be one');
    return readFileSync(path);
  } catch (error) {
    throw new OperatorError(`Cannot read ${path}: ${reasonOf(error)}`);
  }
}
