/** The initiator of a recording, as far as `sessions` can see it: it logs in and out where the recorded iscsiadm did. */

import type { Host, SessionInfo } from '../../src/index.ts';
import type { RecordedStep } from './recording.ts';

const initiatorWwn = 'iqn.1993-08.org.debian:01:guest';

export class Guest {
  #targetWwn: string | undefined;

  constructor(host: Host) {
    host.root.sessions = () => this.#sessions(host);
  }

  /** A command of the machine was run. */
  saw({ text, shown }: RecordedStep): void {
    const target = /^iscsiadm .*-T (\S+) .*--log(?:in|out)\b/.exec(text)?.[1];
    if (target && shown.some((line) => line.endsWith(' successful.')))
      this.#targetWwn = text.includes('--login') ? target : undefined;
  }

  #sessions({ root: { tree } }: Host): SessionInfo[] {
    const tpg = [...tree.tpgs()].find(({ enabled, target }) => enabled && target.wwn === this.#targetWwn);
    const acl = tpg?.acls.has(initiatorWwn) ?? false;
    if (!tpg || !(acl || tpg.attribute('generate_node_acls') === 1)) return [];
    return [
      {
        id: 1,
        fabric: 'iscsi',
        targetWwn: tpg.target.wwn,
        tpgTag: tpg.tag,
        initiatorWwn,
        initiatorAlias: 'guest',
        type: 'Normal',
        state: 'LOGGED_IN',
        authenticated: tpg.attribute('authentication') === 1,
        acl,
        connections: [{ cid: 0, state: 'LOGGED_IN', address: '127.0.0.1:50000', transport: 'TCP' }],
      },
    ];
  }
}
