/** A program: finds the first target of a portal by discovery, logs in, reads its first block, and prints what came of it as JSON. */

import { connectInitiator } from './connect-initiator.ts';

const port = Number(process.argv[2]);
const name = 'iqn.2026-01.com.example:reader';
const discovery = await connectInitiator(port, '', name, { SessionType: 'Discovery' });
const { text } = await discovery.initiator.text({ SendTargets: 'All' });
discovery.close();
const { initiator, close } = await connectInitiator(port, text['TargetName']!, name);
while ((await initiator.command([0, 0, 0, 0, 0, 0])).status !== 0);
const { status, data } = await initiator.command([0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0], { read: true, length: 512 });
close();
process.stdout.write(JSON.stringify({ found: text, status, data: data.toString('hex') }));
