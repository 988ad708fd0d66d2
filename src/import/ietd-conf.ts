/** The ietd.conf of the iSCSI Enterprise Target: lines of words, where `Target` begins a target and `Lun` adds a disk to it. */

import { entryOf } from '../attribute.ts';
import { OperatorError } from '../errors.ts';
import type { Account } from '../target/auth.ts';
import { Refusal } from '../tgt/protocol.ts';
import { storeOf } from '../tgt/unit-making.ts';
import { wrongAt } from './apache-blocks.ts';
import {
  type At,
  accountOf,
  defaultPortals,
  type ImportedTarget,
  type ImportedUnit,
  type ImportKind,
  keywordOf,
  type LeftOut,
  nobody,
  nobodyComes,
} from './imported.ts';

export const ietdConf: ImportKind = {
  name: "IET's ietd.conf",
  recognises: (text) => /^[ \t]*Target\s+\S+/im.test(text) && !/^[ \t]*(target\s.*\{|<target)/im.test(text),
  read(text, file) {
    const left: LeftOut[] = [];
    const discovery: { accounts: Account[]; outgoing: Account | undefined } = { accounts: [], outgoing: undefined };
    const targets: Open[] = [];
    for (const { line, content } of linesOf(text)) {
      const at = { file, line };
      const [, key = '', value = ''] = /^(\S+)\s*(.*)$/.exec(content) ?? [];
      const target = targets.at(-1);
      const word = key.toLowerCase();
      const account = accountOf(value);
      const textKey = entryOf(parameters, word);
      if (word === 'target') {
        if (value === '') throw wrongAt(at, 'Target needs a name');
        targets.push({
          ...at,
          wwn: value.toLowerCase(),
          units: [],
          accounts: [],
          outgoing: undefined,
          parameters: {},
          isBroken: false,
        });
      } else if ((word === 'incominguser' || word === 'outgoinguser') && account) {
        const of = target ?? discovery;
        if (word === 'incominguser') of.accounts.push(account);
        else of.outgoing ??= account;
      } else if (word === 'lun' && target) addUnit(target, value, at, left);
      else if (target && textKey !== undefined) target.parameters[textKey] = valueOfKey(value);
      else {
        left.push({ ...at, what: keywordOf(key, value !== '') });
        if (word === 'incominguser' && target) target.isBroken = true;
      }
    }
    const isClosed = ({ isBroken, accounts }: Open) => isBroken && accounts.length === 0;
    for (const { line } of targets.filter(isClosed)) left.push({ file, line, what: nobodyComes });
    left.push({ file, line: 1, what: 'initiators.allow and targets.allow: say who may come with `allow` at each TPG' });
    if (targets.some(({ units }) => units.length > 0))
      left.push({
        file,
        line: 1,
        what: 'the identities of disks (VPD 83h), which IET makes by itself: initiators see new disks',
      });
    return {
      targets: targets.map(
        (one): ImportedTarget => ({
          ...one,
          tid: undefined,
          enabled: true,
          accessList: isClosed(one) ? nobody : undefined,
          portals: defaultPortals,
        }),
      ),
      discovery,
      left,
    };
  },
};

/** The lines that are no comments. `#` within a line is a sign like others; a line that ends with a backslash goes on in the next. */
function* linesOf(text: string): Generator<{ line: number; content: string }> {
  let held = '';
  let from = 1;
  for (const [index, raw] of `${text}\n`.split(/\r?\n/).entries()) {
    if (held === '') from = index + 1;
    held += raw;
    if (held.endsWith('\\')) {
      held = held.slice(0, -1);
      continue;
    }
    const content = held.trim();
    held = '';
    if (content !== '' && !content.startsWith('#')) yield { line: from, content };
  }
}

interface Open extends At {
  readonly wwn: string;
  readonly units: ImportedUnit[];
  readonly accounts: Account[];
  outgoing: Account | undefined;
  /** Whether an account of it cannot be read. */
  isBroken: boolean;
  readonly parameters: Record<string, string>;
}

const parameters: Readonly<Record<string, string>> = {
  ...{ alias: 'TargetAlias', headerdigest: 'HeaderDigest', datadigest: 'DataDigest', initialr2t: 'InitialR2T' },
  ...{ immediatedata: 'ImmediateData', maxoutstandingr2t: 'MaxOutstandingR2T', maxconnections: 'MaxConnections' },
  ...{ maxburstlength: 'MaxBurstLength', firstburstlength: 'FirstBurstLength', defaulttime2wait: 'DefaultTime2Wait' },
  ...{ defaulttime2retain: 'DefaultTime2Retain', datapduinorder: 'DataPDUInOrder' },
  ...{ datasequenceinorder: 'DataSequenceInOrder', errorrecoverylevel: 'ErrorRecoveryLevel' },
  // IET names these parameters from the target's side, LIO from the initiator's.
  maxrecvdatasegmentlength: 'MaxXmitDataSegmentLength',
  maxxmitdatasegmentlength: 'MaxRecvDataSegmentLength',
};

const valueOfKey = (value: string): string => (value === 'None' ? 'CRC32C,None' : value);

/** Adds the unit of a line: `0 Path=/dev/sdc,Type=fileio,IOMode=wt`. */
function addUnit({ units }: Open, value: string, at: At, left: LeftOut[]): void {
  const [, number = '', words = ''] = /^(\d{1,5})\s+(.*)$/.exec(value) ?? [];
  if (number === '') throw wrongAt(at, `Lun needs a number and a path: Lun 0 Path=/dev/sdb`);
  const lun = Number(number);
  const pairs = new Map(
    words.split(',').map((word) => {
      const [name = '', ...rest] = word.trim().split('=');
      return [name.toLowerCase(), rest.join('=')] as const;
    }),
  );
  const mode = (pairs.get('iomode') ?? '').toLowerCase();
  const isNull = pairs.get('type')?.toLowerCase() === 'nullio';
  for (const [name, word] of pairs)
    if (!['path', 'type', 'iomode', 'scsisn', 'blocksize'].includes(name))
      left.push({ ...at, what: `LUN ${lun}: ${keywordOf(name, word !== '')}` });
  try {
    const store = storeOf({
      type: 'disk',
      path: pairs.get('path') ?? (isNull ? 'nullio' : undefined),
      storeType: isNull ? 'null' : 'rdwr',
      flags: mode === 'wt' ? 'sync' : '',
      blockSize: Number(pairs.get('blocksize') ?? 0),
    });
    if (!isNull && !pairs.get('path')) throw new Refusal('invalid', 'there is no Path');
    const serial = pairs.get('scsisn');
    const attributes = { ...(mode === 'ro' && { read_only: 1 }), ...(serial && { scsi_sn: serial.slice(0, 36) }) };
    units.push({ ...at, lun, store, attributes });
  } catch (error) {
    if (!(error instanceof Refusal || error instanceof OperatorError)) throw error;
    left.push({ ...at, what: `LUN ${lun}: ${error.message}` });
  }
}
