/** What a person types at and looks at: the terminal, what it shows, the session behind it, and the lines typed before. */

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
  /** Live views watch the process that serves by it; absent: there are none. */
  readonly openWatch?: OpenWatch | undefined;
}
