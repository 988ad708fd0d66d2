/** The part of tcli that a client may use: the messages of the control socket, and its place. Nothing here loads the engine. */

export { entryOf } from './attribute.ts';
export { uriPassword } from './backstore/nbd-uri.ts';
export {
  type ControlRefusal,
  type ControlReply,
  type ControlRequest,
  controlSocketOf,
  type DoctorFinding,
  listChanges,
  messageBytesMax,
  type Opening,
  type Owners,
  type OwnersWish,
  protocolVersion,
  type SampleReply,
  type SessionOpening,
  type StartedBy,
  type Status,
  served,
  starters,
  summary,
  type WatchEvent,
} from './daemon/control-protocol.ts';
export { encodeFrame, FrameReader } from './daemon/frames.ts';
export { refusalOf, refuseStranger, type SocketServer } from './daemon/socket-server.ts';
export { learnRows, type SampleRow, type WatchTopic } from './daemon/topics.ts';
export { makePrivateDirectory } from './durable/atomic-file.ts';
export { type Holder, holderOf, inUse, type Role } from './durable/holder.ts';
export { type Home, homeOf } from './durable/home.ts';
export { otherOwner, refuseHomeOfOther } from './durable/owner.ts';
export { lastWords, OperatorError, reasonOf, systemErrorCode } from './errors.ts';
export { type Block, readBlocks } from './import/apache-blocks.ts';
export { identityOfDevice } from './import/device-identity.ts';
export { type LogLevel, logLevels } from './log.ts';
export {
  hidden,
  isPrintable,
  printable,
  printableInColors,
  printableLine,
  quoted,
  unprintableOf,
  withoutUnprintable,
} from './printable.ts';
export { userNamed } from './system/caller.ts';
export { refuseStrange } from './system/own-file.ts';
export { type Peer, peerOf } from './system/peer.ts';
export { isAlive } from './system/process.ts';
export { runningMs, until, whenLate } from './system/running-time.ts';
export { authGroups, authKeys, isSecret, secretKeys } from './target/auth.ts';
export {
  latencyBoundsMs,
  noTraffic,
  percentileMs,
  sumOf,
  type Traffic,
  trafficSince,
  type WayTraffic,
} from './target/traffic.ts';
export {
  deviceTypes,
  type Mode,
  type RequestOperation,
  type RequestWords,
  readAnswer,
  refusals,
  tgtSocketOf,
  tgtVersion,
  writeRequest,
} from './tgt/protocol.ts';
