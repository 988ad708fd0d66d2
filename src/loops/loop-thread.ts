/** The thread that `startWorkerLoop` starts: a loop over a tree of its own. */

import { parentPort, workerData } from 'node:worker_threads';
import { logBug } from '../log.ts';
import { keepFoldersIn } from '../system/own-folder.ts';
import { boundedLog, coalesced } from './bounded-calls.ts';
import { Calls, offerObject, remoteObject } from './calls.ts';
import { LocalLoop } from './local-loop.ts';
import { hostBoundary, type LoopHost, loopBoundary } from './loop.ts';
import { TreeCopy } from './tree-copy.ts';
import type { LoopThreadOptions } from './worker-loop.ts';

const { configuration, lost, runDirectory, stateDirectory, gateway } = workerData as LoopThreadOptions;
keepFoldersIn(runDirectory);
const copy = new TreeCopy(configuration, lost);
copy.tree.place.gateway = gateway;
const host: LoopHost = {
  log: boundedLog((record) => management.log(record)),
  look: coalesced(() => management.look().catch((error: unknown) => survive(error))),
  apply: (operation) => management.apply(operation),
  share: (path, ask) => management.share(path, ask),
};
const loop = new LocalLoop({ tree: copy.tree, copy, host, runDirectory, stateDirectory, alone: false });
const management = remoteObject(new Calls(parentPort!, offerObject(loop, loopBoundary)), hostBoundary);
// A bug in one session costs a log line, and not the disks of all.
const survive = (error: unknown) => logBug(host.log, 'loop', error);
process.on('uncaughtException', survive);
process.on('unhandledRejection', survive);
