/** A shell session for a client of the control socket: the one place where the daemon and the shell meet. */

import type { CreateSession, Host } from '../../src/index.ts';
import type { ShellReply } from '../channel/protocol.ts';
import { serveSession } from '../channel/session-server.ts';
import { Preferences } from '../session/preferences.ts';
import { ShellSession } from '../session/session.ts';

export const sessionsOf =
  (host: Host): CreateSession =>
  ({ cwd, ...options }, post: (reply: ShellReply) => void, by, serving) => {
    const preferences = Preferences.open(host.home.stateDirectory);
    const where = { ...options, by, serving, cwd: cwd ?? preferences.lastPath };
    return serveSession(new ShellSession(host, preferences, where), post);
  };
