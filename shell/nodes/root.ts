/** `/`: backstores and fabrics, and the commands for the configuration as a whole. */

import { describeTrial, type Host, listChanges } from '../../src/index.ts';
import { child, Node, type NodeType } from '../session/node.ts';
import { printTime } from '../session/time-type.ts';
import { applyCommand, exportCommand } from './apply.ts';
import { backstores } from './backstores.ts';
import { configurationCommands } from './configuration.ts';
import { doctor } from './doctor.ts';
import { fabric } from './fabric.ts';
import { importCommand } from './import.ts';
import { keptFabrics } from './kept-fabric.ts';
import { list } from './list.ts';
import { sessions, version } from './root-commands.ts';
import { share, unshare } from './share.ts';
import { stats } from './statistics.ts';
import { top } from './top.ts';
import { why } from './why.ts';

const root: NodeType<Host> = {
  doc: 'The whole configuration.',
  summary({ unsavedOperations: count, latestOperations, trials, given }) {
    const tried = trials.all.map((one) => describeTrial(one, printTime(one.until)));
    const unsaved = [
      `Changes that are stored but not in saveconfig.json: ${count}`,
      ...listChanges(count, latestOperations).map((line) => `  ${line}`),
    ];
    const more = [...(given ? [`${given.remark}.`] : []), ...tried, ...(count > 0 ? unsaved : [])];
    return { text: '', healthy: null, ...(more.length > 0 && { more }) };
  },
  children: ({ root: { tree } }) => [
    child('backstores', backstores, tree),
    ...[...tree.fabrics.values()].map((state) => child(state.fabric.name, fabric, state)),
    ...keptFabrics(tree),
  ],
  commands: (host) => ({
    ...configurationCommands(host),
    apply: applyCommand,
    doctor,
    export: exportCommand,
    import: importCommand,
    list,
    sessions,
    share,
    stats,
    top,
    unshare,
    version,
    why,
  }),
};

export const rootNode = (host: Host): Node => new Node(child('/', root, host), undefined, host);
