/** Two gateways on a disk of 64 MiB in a real Ceph cluster, and three members of etcd, each party in a namespace of its own. */

import { join } from 'node:path';
import { TestCluster } from '../support/ceph.ts';
import { EtcdCluster } from '../support/etcd.ts';
import { GatewayProcess } from './gateway.ts';
import { iqn, type PathPortal, until } from './initiator.ts';
import { addressOf, etcdParties, type Network, type NetworkParty } from './network.ts';

const imageMib = 64;
const image = 'disk0';
const port = 3260;
/** The disk in the tree. */
const disk = `/backstores/user:rbd/${image}`;

/** The owner of the disk, as a gateway knows it. */
interface Ownership {
  readonly path: string;
  readonly owner?: string;
  readonly epoch: number;
}

/** The part of `tcli cluster status` that is used here. */
interface StatusShown {
  readonly members?: readonly { readonly isLeader?: boolean }[];
  readonly units?: readonly Ownership[];
}

const place = (network: Network, party: NetworkParty) => ({ address: addressOf(party), within: network.within(party) });

/** All of it, running. */
export class GatewayPair {
  readonly network: Network;
  readonly gateways: readonly [GatewayProcess, GatewayProcess];
  readonly portals: readonly [PathPortal, PathPortal];
  #etcd: EtcdCluster | undefined;
  #ceph: TestCluster | undefined;

  private constructor(folder: string, network: Network) {
    this.network = network;
    this.gateways = [new GatewayProcess('a', folder, network), new GatewayProcess('b', folder, network)];
    this.portals = [
      { address: addressOf('a'), port },
      { address: addressOf('b'), port },
    ];
  }

  /** Resolves when one of them serves the disk. */
  static async start(folder: string, network: Network): Promise<GatewayPair> {
    const pair = new GatewayPair(folder, network);
    try {
      await pair.#start(folder);
    } catch (error) {
      console.error(pair.logs());
      await pair.stop();
      throw error;
    }
    return pair;
  }

  async #start(folder: string): Promise<void> {
    const { network, gateways } = this;
    const starting = [
      TestCluster.start({ place: place(network, 'ceph') }).then((ceph) => {
        this.#ceph = ceph;
      }),
      EtcdCluster.start({
        folder: join(folder, 'etcd'),
        places: etcdParties.map((party) => place(network, party)),
      }).then((etcd) => {
        this.#etcd = etcd;
      }),
    ];
    await Promise.allSettled(starting);
    await Promise.all(starting);
    await this.ceph.makeImage(image, imageMib << 20);
    for (const gateway of gateways) {
      await gateway.join(this.etcd.endpoints);
      await gateway.start();
    }
    await gateways[0].tell(
      `/backstores/user:rbd create ${image} ${imageMib}M ${this.ceph.cfgstring(image)}`,
      `/iscsi create ${iqn}`,
      `/iscsi/${iqn}/tpg1 set attribute generate_node_acls=1 demo_mode_write_protect=0`,
      `/iscsi/${iqn}/tpg1/luns create ${disk}`,
    );
    await this.owner();
  }

  get ceph(): TestCluster {
    if (!this.#ceph) throw new Error('Ceph does not run');
    return this.#ceph;
  }

  get etcd(): EtcdCluster {
    if (!this.#etcd) throw new Error('etcd does not run');
    return this.#etcd;
  }

  /** The gateway that serves the disk, as soon as both say the same. */
  async owner(): Promise<GatewayProcess> {
    let found: GatewayProcess | undefined;
    await until('both gateways name the same owner', async () => {
      const [one, other] = await Promise.all(this.gateways.map((gateway) => this.#ownership(gateway)));
      found = this.gateways.find(({ party }) => party === one?.owner && party === other?.owner);
      return found !== undefined;
    });
    return found!;
  }

  async standby(): Promise<GatewayProcess> {
    const owner = await this.owner();
    return this.gateways.find((one) => one !== owner)!;
  }

  /** Counts up with every owner. */
  async epoch(): Promise<number> {
    await this.owner();
    return (await this.#ownership(this.gateways[0])).epoch;
  }

  async #ownership(gateway: GatewayProcess): Promise<Ownership> {
    const { units = [] } = await this.#status(gateway);
    return units.find(({ path }) => path === disk) ?? { path: disk, epoch: 0 };
  }

  async #status(gateway: GatewayProcess): Promise<StatusShown> {
    return (JSON.parse(await gateway.tcli('--json', 'cluster', 'status')) as { data: StatusShown }).data;
  }

  /** The number of the member that leads. */
  async etcdLeader(): Promise<number> {
    let found = -1;
    await until('etcd has a leader', async () => {
      const { members = [] } = await this.#status(this.gateways[0]);
      found = members.findIndex(({ isLeader }) => isLeader);
      return found >= 0;
    });
    return found;
  }

  /** An operator has the disk served there. */
  async move(to: GatewayProcess): Promise<void> {
    await to.tcli('cluster', 'move', disk, to.party);
  }

  /** A copy of the image, straight from Ceph. */
  async copy(file: string): Promise<void> {
    await this.ceph.rbd('export', '--no-progress', `rbd/${image}`, file);
  }

  /** The last lines of the gateways' logs. */
  logs(): string {
    return this.gateways.map(({ party, log }) => `gateway ${party}:\n${log.slice(-6000)}`).join('\n');
  }

  async stop(): Promise<void> {
    for (const gateway of this.gateways) await gateway.stop('SIGKILL').catch(() => {});
    await this.#etcd?.stop();
    await this.#ceph?.stop();
  }
}
