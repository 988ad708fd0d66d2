// The servers that a client of the control socket speaks to. Not here: the clients that the server lets in (test/daemon/control.test.ts).

import { expect, test } from 'vitest';
import { refusalOf } from '../../../shell/channel/client-socket.ts';

const [mine, theirs, group] = [1000, 1001, 50];
const socketOf = (uid: number, mode = 0o600, gid = uid) => ({ uid, gid, mode: 0o140000 | mode });
const me = { uid: mine, groups: [mine, group] };
const root = { uid: 0, groups: [0] };

test('a client speaks to root, to its own user, and to who made the socket for a group of its', () => {
  const fine = (uid: number, socket: ReturnType<typeof socketOf>, folderUid: number, asker = me) =>
    refusalOf({ uid, socket, folderUid }, asker) === undefined;
  expect(fine(0, socketOf(0), 0)).toBe(true);
  expect(fine(mine, socketOf(mine), mine)).toBe(true);
  // serve --group, and a service of another user whose socket systemd made.
  expect(fine(theirs, socketOf(theirs, 0o660, group), theirs)).toBe(true);
  expect(fine(theirs, socketOf(0, 0o660, group), 0)).toBe(true);

  expect(fine(theirs, socketOf(theirs), theirs)).toBe(false);
  expect(fine(theirs, socketOf(theirs, 0o777, group), theirs)).toBe(false);
  expect(fine(theirs, socketOf(theirs, 0o660, theirs), theirs)).toBe(false);
  // Gone meanwhile.
  expect(fine(theirs, { uid: -1, gid: -1, mode: 0 }, theirs)).toBe(false);
  expect(fine(mine, { uid: -1, gid: -1, mode: 0 }, theirs)).toBe(true);
  // In a folder that is somebody else's, or at the place of a socket that is.
  expect(fine(theirs, socketOf(theirs, 0o660, group), mine)).toBe(false);
  expect(fine(theirs, socketOf(mine, 0o660, group), theirs)).toBe(false);
});

test('root speaks to the owner of the home that it named, and to nobody who put a socket into the home of another', () => {
  expect(refusalOf({ uid: theirs, socket: socketOf(theirs), folderUid: theirs }, root)).toBeUndefined();
  expect(refusalOf({ uid: theirs, socket: socketOf(theirs), folderUid: mine }, root)).toContain('not the owner');
});
