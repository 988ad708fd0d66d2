/** A shell session for a client of the control socket: the one place where the daemon and the shell meet. */

import { type Author, type CreateSession, describeEnd, type Host, printable } from '../../src/index.ts';
import { NOTICE, type ShellReply } from '../channel/protocol.ts';
import { type SessionServer, serveSession } from '../channel/session-server.ts';
import { Preferences } from '../session/preferences.ts';
import { ShellSession } from '../session/session.ts';

export const sessionsOf =
  (host: Host): CreateSession =>
  ({ cwd, ...options }, post: (reply: ShellReply) => void, by, serving) => {
    const preferences = Preferences.open(host.home.stateDirectory);
    const where = { ...options, by, serving, cwd: cwd ?? preferences.lastPath };
    const server = serveSession(new ShellSession(host, preferences, where), post);
    if (!options.person) return server;
    return untilHungUp(server, tellOfTrials(host, by, post));
  };

/** Tells the person at a shell when the time of a change on trial is over. @returns what ends that */
export const tellOfTrials = (host: Host, by: Author, post: (reply: ShellReply) => void): (() => void) =>
  host.onlookers.add({
    trialEnded: (tried) =>
      post({ id: NOTICE, is: 'output', stream: 'error', text: `${printable(describeEnd(tried, by))}\n` }),
  });

const untilHungUp = (server: SessionServer, end: () => void): SessionServer => ({
  ...server,
  hangUp() {
    end();
    server.hangUp();
  },
});
