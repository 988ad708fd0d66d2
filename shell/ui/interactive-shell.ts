/** The parts of an interactive shell: the terminal, the view on it, the session behind it, and the history of lines. */

import type { ShellClient } from '../channel/protocol.ts';
import type { History } from '../session/history.ts';
import type { OpenWatch } from '../top/live.ts';
import type { TtyHub } from './tty.ts';
import type { View } from './view.tsx';

export interface InteractiveShell {
  readonly tty: TtyHub;
  readonly view: View;
  readonly client: ShellClient;
  readonly history: History;
  /** Opens a watch of the process that serves, for live views; absent: there are none. */
  readonly openWatch?: OpenWatch | undefined;
}
