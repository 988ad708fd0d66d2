// Hostile requests on tgtd's management socket, and configurations of other targets that somebody damaged, seeded.

import { mkdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { OperatorError } from '../../src/errors.ts';
import { importKinds } from '../../src/import/index.ts';
import { planOf } from '../../src/import/operations.ts';
import { Tree } from '../../src/operations/tree.ts';
import { rehearseOperations } from '../../src/saved/rehearsal.ts';
import { modes, operations, readAnswer, writeRequest } from '../../src/tgt/protocol.ts';
import { below, oneOf, type Random } from '../support/random.ts';

/** How long an answer may take. */
const answerMs = 20_000;
/** How long a configuration may be read. */
const readMs = 2_000;

/** Numbers of targets that are nobody's: the healthy targets have the lowest. */
const tids = [100, 101, 102, 103, 0x7fff_ffff, -2];
const words = [
  ...[
    'targetname=iqn.2026-11.org.example:fuzz',
    'targetname=',
    'targetname=IQN.X',
    'path=@/a',
    'path=@/b',
    'path=/dev/null',
  ],
  ...['path=/dev/zero', 'path=@', 'path=', 'bstype=rdwr', 'bstype=null', 'bstype=aio', 'bsoflags=sync', 'bsoflags=x'],
  ...[
    'blocksize=4096',
    'blocksize=-1',
    'initiator-address=ALL',
    'initiator-address=192.0.2.0/33',
    'initiator-name=iqn.y',
  ],
  ...['user=fuzz', 'password=a-secret-of-fuzz', 'user=', 'targetOps vendor_id=A,removable=1,', 'targetOps path=@/b,'],
  ...['targetOps online=1,scsi_sn=%s%s%s,mode_page=8:0:1:4,', 'targetOps =,', 'targetOps lbppbe=64,', 'state=offline'],
  ...[
    'MaxConnections=99999999',
    'HeaderDigest=None',
    'RedirectAddress=::1',
    'RedirectPort=x',
    'nop_count=1',
    '=',
    ',,,,',
  ],
];

function request(random: Random, folder: string): Buffer {
  const mode = oneOf(
    random,
    modes.filter((one) => one !== 'system' && one !== 'portal'),
  )!;
  const op = oneOf(random, operations)!;
  const all = Array.from({ length: below(random, 4) }, () => oneOf(random, words)!.replaceAll('@', folder));
  const bytes = writeRequest({
    ...{ mode, op, tid: oneOf(random, tids)!, sid: below(random, 3), cid: below(random, 3) },
    ...{ lun: oneOf(random, [1, 2, 0, 0xffff, 1e15])!, deviceType: oneOf(random, [0, 1, 5, 0xff, 77])! },
    ...{ outgoing: random() < 0.2, force: random() < 0.5, text: all.join() },
  });
  // A text with any bytes in it, a length that is another.
  if (random() < 0.2 && bytes.length > 121)
    for (let i = 0; i < 4; i += 1) bytes[120 + below(random, bytes.length - 120)] = below(random, 256);
  if (random() < 0.1) bytes.writeInt32LE(oneOf(random, [0, 119, 120, 121, bytes.length + 1, 8312, 8313, -1])!, 72);
  return bytes;
}

/** Sends a request, sometimes in pieces, sometimes not all of it. @throws when its answer is none */
function send(path: string, bytes: Buffer, random: Random): Promise<void> {
  return new Promise((done, fail) => {
    let received: Buffer = Buffer.alloc(0);
    const gives = random();
    const late = setTimeout(() => fail(new Error(`no answer to ${bytes.toString('hex')}`)), answerMs);
    const socket = connect({ path }, () => {
      if (gives < 0.1) return void socket.end(bytes.subarray(0, below(random, bytes.length)));
      if (gives < 0.2) {
        socket.write(bytes);
        return void socket.destroy();
      }
      const at = below(random, bytes.length);
      socket.write(bytes.subarray(0, at));
      // The server's clock ends a request that is incomplete: the rest of the input is not worth the wait.
      if (bytes.readInt32LE(72) > bytes.length) socket.end(bytes.subarray(at));
      else socket.write(bytes.subarray(at));
    });
    socket.on('data', (data) => {
      received = Buffer.concat([received, data]);
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      clearTimeout(late);
      if (received.length > 0 && !readAnswer(received)) fail(new Error(`half an answer to ${bytes.toString('hex')}`));
      else done();
    });
  });
}

export async function attackTgt(path: string, folder: string, random: Random, count: number) {
  for (let input = 0; input < count; input += 1) await send(path, request(random, folder), random);
  return { inputs: count, connections: count };
}

const iqn = 'iqn.2026-11.org.example:fuzz';
/** A good one of each kind. */
const configurations = [
  `default-driver iscsi\ninclude @/conf.d/*.conf\nincomingdiscoveryuser d s\n<target ${iqn}>\ncontroller_tid 7\nwrite-cache off\ninitiator-address 192.0.2.7\ninitiator-name iqn.x\nincominguser f s\n<backing-store @/a>\nlun 3\nvendor_id "A B"\nparams thin_provisioning=1\nmode_page 8:0:1:4\n</backing-store>\n<backing-store @/b>\nscsi_sn S\n</backing-store>\n</target>\n`,
  `IncomingUser joe s\nTarget ${iqn}\n\tIncomingUser fred s\n\tLun 0 Path=@/a,Type=fileio,IOMode=wt,ScsiSN=S\n\tLun 3 Path=@/b,Type=blockio\n\tLun 4 Sectors=1,Type=nullio\n\tAlias Test\n\tMaxConnections 4\n`,
  `{"storages":[{"deviceID":1000,"path":"file:@/a","online":true,"blockShift":12}],"iscsiportals":[{"id":0,"portal":"127.0.0.1:3260"}],"iscsitargets":{"${iqn}":{"tpgts":{"1":[0]},"luns":{"0":1000}}}}\n`,
  `portal-group pg0 {\nlisten 0.0.0.0\nlisten [::1]:3262\n}\nauth-group ag0 {\nchap f "s s"\nchap-mutual b s o t\ninitiator-portal [2001:db8::]/32\n}\nlun shared { path @/b; blocksize 4096 }\ntarget ${iqn} {\nauth-group ag0\nportal-group pg0\nlun 0 {\npath @/a\nserial S\n}\nlun 1 shared\n}\n`,
];
const tokens = [
  '{',
  '}',
  '<',
  '>',
  '"',
  '\\',
  '#',
  '</target>',
  `<target ${iqn}>`,
  '\0',
  '\u2028',
  '-1',
  '1e99',
  '[]',
  '0x7fffffff',
  ',',
  '=',
  ':',
];

/** Changes a few places: lines that go, come twice or change place, words in the middle, an end too early. */
function damaged(text: string, random: Random): string {
  let lines = text.split('\n');
  for (let change = 0; change < 1 + below(random, 6); change += 1) {
    const at = below(random, lines.length);
    const line = lines[at] ?? '';
    const inside = below(random, line.length + 1);
    const how = below(random, 6);
    if (how === 0) lines.splice(at, 1);
    else if (how === 1) lines.splice(at, 0, line);
    else if (how === 2) lines.splice(below(random, lines.length), 0, ...lines.splice(at, 1));
    else if (how === 3) lines[at] = line.slice(0, inside) + oneOf(random, tokens) + line.slice(inside);
    else if (how === 4) lines[at] = `${line} ${oneOf(random, tokens)!.repeat(1 + below(random, 2000))}`;
    else if (random() < 0.2) lines = lines.slice(0, at);
    else lines[at] = line.replace(/\d+/, String(oneOf(random, ['', '-1', '65536', '99999999999999999999', '1.5'])));
  }
  return lines.join('\n');
}

/** Every importer reads it, or refuses it; what it makes of it, the tree takes, or refuses. @throws for anything else */
export async function attackImports(folder: string, random: Random, count: number) {
  mkdirSync(join(folder, 'conf.d'), { recursive: true });
  for (let input = 0; input < count; input += 1) {
    const text = damaged(oneOf(random, configurations)!.replaceAll('@', folder), random);
    writeFileSync(join(folder, 'conf.d/one.conf'), damaged(configurations[0]!.replaceAll('@', folder), random));
    for (const kind of importKinds) {
      const began = process.cpuUsage();
      try {
        const tree = new Tree();
        await rehearseOperations(tree, planOf(tree, kind.read(text, join(folder, 'config'))).operations);
      } catch (error) {
        if (!(error instanceof OperatorError))
          throw new Error(`${kind.name}: ${JSON.stringify(text)}`, { cause: error });
      }
      const { user, system } = process.cpuUsage(began);
      if ((user + system) / 1000 > readMs) throw new Error(`${kind.name} takes too long for ${JSON.stringify(text)}`);
    }
  }
  return { inputs: count, connections: 0 };
}
