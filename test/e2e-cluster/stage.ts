/** A disk of 64 MiB in a real Ceph cluster, and who serves it, each party in a namespace of its own. */

import { TestCluster } from '../support/ceph.ts';
import { GatewayProcess } from './gateway.ts';
import { iqn, type PathPortal } from './initiator.ts';
import { addressOf, type Network, type NetworkParty } from './network.ts';

/** A way to the disk: its place in `portals`. */
export type Side = 0 | 1;
export const otherSide = (side: Side): Side => (side === 0 ? 1 : 0);

const imageMib = 64;
const image = 'disk0';
const port = 3260;
/** The disk in the tree. */
const disk = `/backstores/user:rbd/${image}`;

/** All of it, running. */
export interface ServedDisk {
  readonly network: Network;
  readonly portals: readonly [PathPortal, PathPortal];
  /** The gateway of a side; one gateway may serve both. */
  gatewayOf(side: Side): GatewayProcess;
  /** The side that is Active/optimized, as the target says. */
  active(): Promise<Side>;
  /** An operator has the disk be active there. */
  move(to: Side): Promise<void>;
  /** A copy of the image, straight from Ceph. */
  copy(file: string): Promise<void>;
  /** The last lines of the gateways' logs. */
  logs(): string;
  stop(): Promise<void>;
}

const place = (network: Network, party: NetworkParty) => ({ address: addressOf(party), within: network.within(party) });

async function cephWithImage(network: Network): Promise<TestCluster> {
  const ceph = await TestCluster.start({ place: place(network, 'ceph') });
  await ceph.rbd('create', '--size', `${imageMib}M`, `rbd/${image}`);
  return ceph;
}

/** One tcli with two portals, each in a port group of its own: one is Active/optimized, the other Standby. */
export async function oneGateway(folder: string, network: Network): Promise<ServedDisk> {
  const ceph = await cephWithImage(network);
  const gateway = new GatewayProcess('a', folder, network);
  const portals = [
    { address: addressOf('a'), port },
    { address: addressOf('a'), port: port + 1 },
  ] as const;
  const setState = (side: Side, state: number) => `${disk}/alua/side${side} set alua alua_access_state=${state}`;
  const stage: ServedDisk = {
    network,
    portals,
    gatewayOf: () => gateway,
    async active() {
      const states = await gateway.tell(`${disk}/alua/side0 get alua alua_access_state`);
      return states.includes('=0') ? 0 : 1;
    },
    move: async (to) => void (await gateway.tell(setState(to, 0), setState(otherSide(to), 2))),
    copy: async (file) => void (await ceph.rbd('export', '--no-progress', `rbd/${image}`, file)),
    logs: () => gateway.log.slice(-4000),
    async stop() {
      await gateway.stop('SIGKILL');
      await ceph.stop();
    },
  };
  try {
    await gateway.start();
    await gateway.tell(
      '/ set global auto_add_default_portal=false',
      `/backstores/user:rbd create ${image} ${imageMib}M ${ceph.cfgstring(image)}`,
      ...[0, 1].map((side) => `${disk}/alua create side${side} ${side + 1}`),
      setState(1, 2),
      `/iscsi create ${iqn}`,
      `/iscsi/${iqn} create 2`,
      ...portals.flatMap((portal, side) => [
        `/iscsi/${iqn}/tpg${side + 1}/portals create ${portal.address} ${portal.port}`,
        `/iscsi/${iqn}/tpg${side + 1} set attribute generate_node_acls=1 demo_mode_write_protect=0`,
        `/iscsi/${iqn}/tpg${side + 1}/luns create ${disk}`,
        `/iscsi/${iqn}/tpg${side + 1}/luns/lun0 set alua alua_tg_pt_gp_name=side${side}`,
      ]),
    );
  } catch (error) {
    console.error(stage.logs());
    await stage.stop();
    throw error;
  }
  return stage;
}
