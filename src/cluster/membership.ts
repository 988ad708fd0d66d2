/** The cluster of this gateway: one file in its home, cluster.json. Without it there is no cluster. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Files, realFiles, replaceFile, syncDirectory } from '../durable/atomic-file.ts';
import { OperatorError, parseJson, reasonOf, systemErrorCode } from '../errors.ts';
import type { StoreFiles } from './store-files.ts';

/** How a gateway finds its cluster. Secrets stand in files of their own. */
export interface Membership extends StoreFiles {
  readonly cluster: string;
  /** The name of this gateway. */
  readonly name: string;
  readonly endpoints: readonly string[];
  /** Tells this gateway from another one of its name. */
  readonly token: string;
  /** Tells the cluster from another one of its name. */
  readonly id: string;
  /** The number of this gateway, which it got when it served for the first time, and has until it leaves. */
  readonly number?: number;
}

/** The record of a gateway that has joined. */
export interface GatewayEntry {
  readonly token: string;
  /** ISO 8601, UTC. */
  readonly joined: string;
  readonly host: string;
  readonly version: string;
}

const pathIn = (stateDirectory: string): string => join(stateDirectory, 'cluster.json');

/** @returns undefined where there is no cluster. @throws OperatorError for a file that cannot be read: who serves alone by mistake harms others */
export function readMembership(stateDirectory: string): Membership | undefined {
  const path = pathIn(stateDirectory);
  try {
    const { cluster, name, endpoints, token, id, number, ...files } = parseJson(
      readFileSync(path, 'utf8'),
    ) as Membership;
    const words = [cluster, name, token, id, ...endpoints, ...Object.values(files)];
    const isNumber = number === undefined || Number.isSafeInteger(number);
    if (!isNumber || !words.every((word) => typeof word === 'string'))
      throw new Error('it is not what tcli has written there');
    return { cluster, name, endpoints, token, id, ...files, ...(number !== undefined && { number }) };
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return undefined;
    throw new OperatorError(
      `Cannot read ${path}: ${reasonOf(error)}`,
      'It says to which cluster this gateway belongs. To join again: remove it, then tcli cluster join',
    );
  }
}

/** On disk when it resolves. */
export async function writeMembership(stateDirectory: string, membership: Membership): Promise<void> {
  await replaceFile(pathIn(stateDirectory), `${JSON.stringify(membership, undefined, 2)}\n`, realFiles);
}

/** The gateway is alone again when it resolves. */
export async function removeMembership(stateDirectory: string, files: Files = realFiles): Promise<void> {
  await files.rm(pathIn(stateDirectory), { force: true });
  await syncDirectory(stateDirectory, files);
}
