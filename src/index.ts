/**
 * The exports for programs and the shell. The map of this tree, left to right (a file imports only from its own layer and
 * from layers to its left):
 *
 *     errors attribute log printable wildcard   what every layer says and declares
 *     system/                system calls that Node lacks
 *     wire/                  records of bytes, digests, serial numbers, key=value text
 *     backstore/             volumes: fileio, block, ramdisk, pscsi, user:…
 *     scsi/                  logical units, tasks, opcodes, sense
 *     target/                who may see which storage object under which number
 *     iscsi/ nbd/ vhost/     RFC 7143; NBD for this machine itself; vhost-user for virtual machines
 *     fabric/                what each fabric is called and can do
 *     operations/            the tree of objects, and every change that can be made to it
 *     saved/                 the tree as JSON, as saveconfig.json has it
 *     durable/               the journal, homes, backups
 *     cluster/               what gateways agree on in etcd
 *     loops/                 which thread serves what
 *     root/                  the one object that owns all of these
 *     tgt/ import/           the words of tgt; configurations of other targets
 *     daemon/                the long-running process
 *     library/               what programs import
 */

export {
  type Attribute,
  Attributes,
  type AttributeTable,
  entryOf,
  type Parameter,
  syntaxError,
  types,
  type ValueType,
} from './attribute.ts';
export {
  type Backstore,
  checkSnapshotName,
  printSize,
  type Snapshot,
  type VolumeConfig,
} from './backstore/backstore.ts';
export { blockDeviceBytes } from './backstore/block-device.ts';
export { backstores } from './backstore/index.ts';
export * from './client.ts';
export { type CreateSession, listenControl, type SessionChannel } from './daemon/control.ts';
export { refuseLocalUse } from './daemon/control-requests.ts';
export { doctorChecks, examineHost } from './daemon/doctor.ts';
export { jsonLog, type Lines, lineLog, linesTo } from './daemon/log-lines.ts';
export { serve } from './daemon/serve.ts';
export type { ServingProcess } from './daemon/shells.ts';
export { describeLoss, describeOverdue, harmIn, keptIn, problems, remarksOn } from './daemon/status.ts';
export { watchHost } from './daemon/watch.ts';
export type { AuditedChange } from './durable/audit.ts';
export { fabrics, serviceOf } from './fabric/index.ts';
export { exportTargetsConf } from './import/export-targets-conf.ts';
export { planImport } from './import/index.ts';
export { discoveryCredentials, nobodyGetsIn, whoCannot, whyNobodyCan } from './iscsi/credentials.ts';
export type { Log } from './log.ts';
export { loopsByCores } from './loops/count.ts';
export type { LossState, WorkState } from './loops/loop.ts';
export type { WorkerOptions } from './loops/loops.ts';
export { printAccessList } from './operations/access-operations.ts';
export { labelOperation, labelsOf, setAttribute } from './operations/labels.ts';
export { isReplaceable, mediumParameters } from './operations/medium-operations.ts';
export { movesBack, movesOf, type PathMove, pathAfter } from './operations/moves.ts';
export {
  type Apply,
  type Author,
  describeOperation,
  type Operation,
  type Outcome,
  type ParameterValues,
  type PartOfChange,
  printAuthor,
  printOperation,
  type Value,
  withoutSecrets,
} from './operations/operation.ts';
export { type Place, type PlaceKind, placeOf } from './operations/place.ts';
export { infoOf } from './operations/saved-form.ts';
export { type KindOfBackstore, schema } from './operations/schema.ts';
export { changedAttributes } from './operations/storage-object-operations.ts';
export type { Tree } from './operations/tree.ts';
export { ownAuthor } from './root/author.ts';
export { type Differences, differencesByRestore, differencesFrom } from './root/changes.ts';
export type { ClusterStatus } from './root/cluster-status.ts';
export type { HistoryStep } from './root/history.ts';
export { type Host, openHost } from './root/host.ts';
export {
  type DiskRow,
  type InitiatorRow,
  type InventoryKind,
  InventoryRows,
  inventoryKinds,
  type LunRow,
  type PortalRow,
  rowsOf,
  type TargetRow,
} from './root/inventory.ts';
export { type ChangeOptions, newPart } from './root/options.ts';
export type { LoginRefusal } from './root/refusals.ts';
export type { Root } from './root/root.ts';
export { parseConfiguration } from './root/saved-file.ts';
export type { SavedFile } from './root/saving.ts';
export { describeEnd, describeTrial } from './root/trials.ts';
export {
  type LoginWalk,
  type LunVerdict,
  type WhyQuestion,
  whyAtLun,
  whyRefused,
} from './root/why.ts';
export { describeTree, planDescription } from './saved/description.ts';
export { descriptionSchema } from './saved/description-schema.ts';
export { printDescription, readDescription, type SecretPlace } from './saved/description-text.ts';
export { withoutSecretValues } from './saved/left-out-secrets.ts';
export { operationTypes } from './saved/operations.ts';
export { dumpTree, formatSaved } from './saved/saveconfig.ts';
export type { Difference } from './saved/transition.ts';
export { type AluaGroup, aluaGroupTable, aluaStates } from './scsi/alua-group.ts';
export type { StorageObject } from './scsi/logical-unit.ts';
export { ownAddresses } from './system/own-addresses.ts';
export { ownFolder } from './system/own-folder.ts';
export { endProcess } from './system/process.ts';
export { slices } from './system/slices.ts';
export { serviceManager } from './system/systemd.ts';
export { hasOwnNexus, lowestFree, lunsOf, viewOf } from './target/access.ts';
export { type AccessList, addressRuleProblem, everyAddress, isListed } from './target/access-list.ts';
export {
  type Auth,
  authAdvice,
  authKeys,
  authProblem,
  authTable,
  hasCredentials,
  isMutual,
  letsIn,
  livingAuth,
  passingAuthKeys,
  shownValue,
  takesOld,
  untilTold,
} from './target/auth.ts';
export type { Fabric } from './target/fabric.ts';
export { type Fence, standingFences } from './target/fences.ts';
export type { SessionInfo, Verdict } from './target/service.ts';
export type { FabricState, Target } from './target/target.ts';
export {
  aclNode,
  bracketed,
  keptOf,
  type Lun,
  type MappedLun,
  type NodeAcl,
  type Portal,
  portalPath,
  printPortal,
  type Tpg,
} from './target/target.ts';
export { iqnOf, normaliseWwn } from './target/wwn.ts';
export { isPattern, matchesPattern } from './wildcard.ts';

/** Loads the part that only gateways of a cluster need. */
export const clustering = () => import('./root/clustering.ts');
