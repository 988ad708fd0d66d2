/** A configuration that this process serves itself, as `tcli serve` would, for a program that uses the library. */

import { statusOf } from '../daemon/status.ts';
import { inUse } from '../durable/holder.ts';
import type { Home } from '../durable/home.ts';
import { OperatorError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Value } from '../operations/operation.ts';
import { withoutSecrets } from '../operations/operation.ts';
import { openHost } from '../root/host.ts';
import { dumpValue } from '../saved/saveconfig.ts';
import type { ConfigurationLink } from './link.ts';

/** The interval at which volumes and portals that could not be opened are tried again. */
const retryMs = 5_000;
/** The number of earlier generations of the saved file that are kept. */
const backupsKept = 10;

export interface OwnOptions {
  readonly home: Home;
  /** The version of the library. */
  readonly version: string;
  /** The number of threads that serve, at most; 0: this thread does. */
  readonly loops: number;
  readonly log: Log;
}

/** Opens a home and serves it. @throws OperatorError when another process has it, or it cannot be read */
export async function ownLink({ home, version, loops, log }: OwnOptions): Promise<ConfigurationLink> {
  // build.mjs puts the thread's program beside the library.
  const workers = { entry: new URL('./loop.js', import.meta.url), count: loops };
  const host = await openHost({ home, role: 'serve', log, workers });
  if (host.heldBy) {
    await host.close();
    throw new OperatorError(
      inUse(home, host.heldBy).message,
      'To use what it serves: connectTcli, in place of openTcli',
    );
  }
  const startedAt = new Date().toISOString();
  await host.start().catch(async (error: unknown) => {
    await host.close();
    throw error;
  });
  // The program lives as long as its targets are open, and this timer does not prolong that.
  const retrying = setInterval(() => void host.root.retry('when it is time'), retryMs);
  retrying.unref();
  return {
    async apply({ path, verb, params }) {
      const { operation, notes } = await host.root.apply({
        path,
        verb,
        params: params as Readonly<Record<string, Value>>,
      });
      return { params: withoutSecrets(operation).params, notes };
    },
    configuration: async (path) => dumpValue(host.root.tree, path),
    async status() {
      await host.root.observe();
      return statusOf(host, { role: 'serve', startedBy: { what: 'program' }, version, startedAt, clients: 0 });
    },
    async save() {
      const { path, backup } = await host.save(undefined, backupsKept);
      return { path, backup };
    },
    close() {
      clearInterval(retrying);
      return host.close();
    },
  };
}
