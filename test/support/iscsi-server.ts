/** The iSCSI fabric on real sockets, in one event loop: a reception, and an engine for all targets. */

import { startIscsi } from '../../src/iscsi/engine.ts';
import { type IscsiReception, receiveIscsi } from '../../src/iscsi/reception.ts';
import type { FabricEngine } from '../../src/target/service.ts';
import type { FabricState } from '../../src/target/target.ts';

export type IscsiServer = Pick<IscsiReception, 'address' | 'portalProblem'> &
  Pick<FabricEngine, 'reconcile' | 'sessions' | 'stop'>;

export function serveIscsi(state: FabricState, sockets: readonly number[] = []): IscsiServer {
  const log = () => {};
  const engine = startIscsi(state, { log, runDirectory: '', serves: () => true, begun: () => {} });
  const reception = receiveIscsi(state, { log, sockets, handOver: (_target, arrival) => engine.take?.(arrival) });
  return {
    address: (portal) => reception.address(portal),
    portalProblem: (portal) => reception.portalProblem(portal),
    sessions: () => [...reception.sessions(), ...engine.sessions()],
    async reconcile() {
      await engine.reconcile();
      await reception.reconcile();
    },
    async stop() {
      await reception.stop();
      await engine.stop();
    },
  };
}
