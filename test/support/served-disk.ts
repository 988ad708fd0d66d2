/** A home, open in this process, that serves one ramdisk to initiators on sockets. */

import { onTestFinished } from 'vitest';
import { homeOf } from '../../src/durable/home.ts';
import type { LogRecord } from '../../src/log.ts';
import { openHost } from '../../src/root/host.ts';
import { connectInitiator } from './connect-initiator.ts';
import type { Initiator } from './initiator.ts';
import { iqn, temporaryDirectory } from './tcli.ts';

const tpg = `/iscsi/${iqn}/tpg1`;

/** Opens a home, which is closed after the test. */
export async function openHome(directory: string) {
  const logged: LogRecord[] = [];
  const home = homeOf(directory, {}, undefined);
  const host = await openHost({ home, role: 'serve', log: (record) => void logged.push(record) });
  onTestFinished(() => host.close());
  const apply = (path: string, verb: string, params: object = {}) =>
    host.root.apply({ path, verb, params: params as never });
  const set = (path: string, group: string, name: string, value: string) => apply(path, 'set', { group, name, value });
  return { host, apply, set, logged };
}

/** Opens a home and serves a ramdisk at each of `ports`: to the initiator `only`, to which it is mapped, or to everybody. */
export async function serveDisk(ports: readonly number[], { directory = temporaryDirectory(), only = '' } = {}) {
  const opened = await openHome(directory);
  const { apply, set, host } = opened;
  await apply('/backstores/ramdisk', 'create', { name: 'rd0', size: '1M' });
  await apply('/iscsi', 'create', { wwn: iqn });
  await apply(`/iscsi/${iqn}`, 'create', { tag: 1 });
  await apply(`${tpg}/luns`, 'create', { storage_object: '/backstores/ramdisk/rd0' });
  if (only !== '') {
    await apply(`${tpg}/acls`, 'create', { wwn: only });
    await apply(`${tpg}/acls/${only}`, 'create', { mapped_lun: 0, tpg_lun: 0 });
  }
  for (const ip_port of ports) await apply(`${tpg}/portals`, 'create', { ip_address: '127.0.0.1', ip_port });
  await set(tpg, 'attribute', 'authentication', '0');
  await set(tpg, 'attribute', 'generate_node_acls', only === '' ? '1' : '0');
  await apply(tpg, 'enable');
  await host.root.start();
  return opened;
}

/** Logs in at a port of the target; the connection is closed after the test. */
export async function loginAt(port: number, name: string): Promise<Initiator> {
  const connected = await connectInitiator(port, iqn, name);
  onTestFinished(connected.close);
  return connected.initiator;
}
