/**
 * A network of its own for each run: a bridge in a namespace, and a namespace on it for every party, so that two of them can be cut
 * off from each other while all others see both. Nothing of it stands in this machine's own network.
 */

import { execFile } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Parties of the network, by the last number of the address. */
const addresses = { a: 1, b: 2, etcd0: 11, etcd1: 12, etcd2: 13, ceph: 21, host1: 31, host2: 32 } as const;
export type NetworkParty = keyof typeof addresses;

/** Hosts are machines with a network card of their own; all others are processes in a namespace. */
const isMachine = (party: NetworkParty): boolean => party.startsWith('host');

export const etcdParties = ['etcd0', 'etcd1', 'etcd2'] as const satisfies readonly NetworkParty[];

export const addressOf = (party: NetworkParty): string => `10.214.0.${addresses[party]}`;
/** The other end of a machine's network card. */
export const tapOf = (party: NetworkParty): string => party;

const bridge = 'bridge0';

/** Ready to run programs in. */
export class Network {
  /** Several runs may stand beside each other. */
  readonly #prefix = `tcli-cluster-${process.pid}-`;

  static async start(): Promise<Network> {
    const network = new Network();
    try {
      await network.#make();
    } catch (error) {
      await network.stop();
      throw error;
    }
    return network;
  }

  async #make(): Promise<void> {
    const middle = this.#name('switch');
    await run('ip', ['netns', 'add', middle]);
    await this.#ip(middle, 'link add name', bridge, 'type bridge');
    await this.#ip(middle, 'link set', bridge, 'up');
    for (const party of Object.keys(addresses) as NetworkParty[]) {
      if (isMachine(party)) await this.#ip(middle, 'tuntap add dev', tapOf(party), 'mode tap');
      else await this.#makeParty(party);
      await this.#ip(middle, 'link set dev', party, 'master', bridge);
      await this.#ip(middle, 'link set dev', party, 'up');
    }
    await this.#nft('add table bridge cuts');
    await this.#nft('add set bridge cuts pairs { type ifname . ifname; }');
    await this.#nft('add chain bridge cuts forward { type filter hook forward priority 0; }');
    await this.#nft('add rule bridge cuts forward iifname . oifname @pairs drop');
  }

  async #makeParty(party: NetworkParty): Promise<void> {
    const own = this.#name(party);
    await run('ip', ['netns', 'add', own]);
    await this.#ip(this.#name('switch'), 'link add name', party, 'type veth peer name eth0 netns', own);
    await this.#ip(own, 'link set lo up');
    await this.#ip(own, 'address add', `${addressOf(party)}/24`, 'dev eth0');
    await this.#ip(own, 'link set eth0 up');
  }

  /** Words before a command line, which make it run as a party; a machine's program runs beside the bridge. */
  within(party: NetworkParty): string[] {
    return ['ip', 'netns', 'exec', this.#name(isMachine(party) ? 'switch' : party)];
  }

  /** Nothing passes between a party and others for so long, either way; connections stay as they are. */
  async cut(one: NetworkParty, others: readonly NetworkParty[], forMs: number): Promise<void> {
    const pairs = others.map((other) => `"${one}" . "${other}", "${other}" . "${one}"`).join(', ');
    await this.#nft(`add element bridge cuts pairs { ${pairs} }`);
    await sleep(forMs);
    await this.#nft(`delete element bridge cuts pairs { ${pairs} }`);
  }

  async stop(): Promise<void> {
    const { stdout } = await run('ip', ['netns', 'list']);
    for (const line of stdout.split('\n')) {
      const name = line.split(' ')[0]!;
      if (name.startsWith(this.#prefix)) await run('ip', ['netns', 'delete', name]);
    }
  }

  readonly #name = (party: NetworkParty | 'switch'): string => `${this.#prefix}${party}`;
  readonly #ip = (namespace: string, ...words: string[]) => run('ip', ['-n', namespace, ...words.join(' ').split(' ')]);
  readonly #nft = (line: string) => run('ip', ['netns', 'exec', this.#name('switch'), 'nft', line]);
}
