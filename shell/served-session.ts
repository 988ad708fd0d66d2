/** A shell session for a client of the control socket: the one place where the daemon and the shell meet. */

import type { CreateSession, Host } from '../src/index.ts';
import { Preferences } from './preferences.ts';
import type { Reply } from './protocol.ts';
import { ShellSession } from './session.ts';
import { serveSession } from './session-server.ts';

export const sessionsOf =
  (host: Host): CreateSession =>
  ({ cwd, ...options }, post: (reply: Reply) => void) => {
    const preferences = Preferences.open(host.home.stateDirectory);
    return serveSession(new ShellSession(host, preferences, { ...options, cwd: cwd ?? preferences.lastPath }), post);
  };
