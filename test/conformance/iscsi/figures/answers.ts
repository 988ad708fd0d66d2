// RFC 7143 11: the headers of a target, byte by byte as the figures have them.

import {
  asyncMessage,
  dataIn,
  loginResponse,
  logoutResponse,
  nopIn,
  readyToTransfer,
  reject,
  scsiResponse,
  taskManagementResponse,
  textResponse,
} from '../../../../src/iscsi/pdu.ts';
import { bytes, type Figure, figure, lun, tag } from './figure.ts';

export const answers: Figure[] = [
  figure(
    '11.4',
    scsiResponse,
    `21 82 80 08 02 03 04 05 00 00 00 00
     00 00 00 00 11 12 13 14 00 00 00 00
     15 16 17 18 19 1a 1b 1c 1d 1e 1f 20
     21 22 23 24 00 00 00 00 25 26 27 28`,
    {
      immediate: false,
      final: true,
      overflow: false,
      underflow: true,
      response: 0x80,
      status: 8,
      initiatorTaskTag: tag,
      statSn: 0x15161718,
      expCmdSn: 0x191a1b1c,
      maxCmdSn: 0x1d1e1f20,
      expDataSn: 0x21222324,
      residualCount: 0x25262728,
    },
  ),
  figure(
    '11.6',
    taskManagementResponse,
    `22 80 05 00 02 03 04 05 00 00 00 00
     00 00 00 00 11 12 13 14 00 00 00 00
     15 16 17 18 19 1a 1b 1c 1d 1e 1f 20
     00 00 00 00 00 00 00 00 00 00 00 00`,
    {
      immediate: false,
      final: true,
      response: 5,
      initiatorTaskTag: tag,
      statSn: 0x15161718,
      expCmdSn: 0x191a1b1c,
      maxCmdSn: 0x1d1e1f20,
    },
  ),
  figure(
    '11.7',
    dataIn,
    `25 c5 00 02 02 03 04 05 00 0a 0b 0c
     0d 0e 0f 10 11 12 13 14 15 16 17 18
     19 1a 1b 1c 1d 1e 1f 20 21 22 23 24
     25 26 27 28 29 2a 2b 2c 2d 2e 2f 30`,
    {
      immediate: false,
      final: true,
      acknowledge: true,
      overflow: true,
      underflow: false,
      hasStatus: true,
      status: 2,
      lun,
      initiatorTaskTag: tag,
      targetTransferTag: 0x15161718,
      statSn: 0x191a1b1c,
      expCmdSn: 0x1d1e1f20,
      maxCmdSn: 0x21222324,
      dataSn: 0x25262728,
      bufferOffset: 0x292a2b2c,
      residualCount: 0x2d2e2f30,
    },
  ),
  figure(
    '11.8',
    readyToTransfer,
    `31 80 00 00 02 03 04 05 00 0a 0b 0c
     0d 0e 0f 10 11 12 13 14 15 16 17 18
     19 1a 1b 1c 1d 1e 1f 20 21 22 23 24
     25 26 27 28 29 2a 2b 2c 2d 2e 2f 30`,
    {
      immediate: false,
      final: true,
      lun,
      initiatorTaskTag: tag,
      targetTransferTag: 0x15161718,
      statSn: 0x191a1b1c,
      expCmdSn: 0x1d1e1f20,
      maxCmdSn: 0x21222324,
      r2tSn: 0x25262728,
      bufferOffset: 0x292a2b2c,
      desiredDataTransferLength: 0x2d2e2f30,
    },
  ),
  figure(
    '11.9',
    asyncMessage,
    `32 80 00 00 02 03 04 05 00 0a 0b 0c
     0d 0e 0f 10 ff ff ff ff 00 00 00 00
     15 16 17 18 19 1a 1b 1c 1d 1e 1f 20
     04 22 23 24 25 26 27 28 00 00 00 00`,
    {
      immediate: false,
      final: true,
      lun,
      initiatorTaskTag: 0xffffffff,
      statSn: 0x15161718,
      expCmdSn: 0x191a1b1c,
      maxCmdSn: 0x1d1e1f20,
      asyncEvent: 4,
      asyncVCode: 0x22,
      parameter1: 0x2324,
      parameter2: 0x2526,
      parameter3: 0x2728,
    },
  ),
  figure(
    '11.11',
    textResponse,
    `24 80 00 00 02 03 04 05 00 0a 0b 0c
     0d 0e 0f 10 11 12 13 14 15 16 17 18
     19 1a 1b 1c 1d 1e 1f 20 21 22 23 24
     00 00 00 00 00 00 00 00 00 00 00 00`,
    {
      immediate: false,
      final: true,
      continue: false,
      lun,
      initiatorTaskTag: tag,
      targetTransferTag: 0x15161718,
      statSn: 0x191a1b1c,
      expCmdSn: 0x1d1e1f20,
      maxCmdSn: 0x21222324,
    },
  ),
  figure(
    '11.13',
    loginResponse,
    `23 44 06 07 02 03 04 05 80 09 0a 0b
     0c 0d 0e 0f 11 12 13 14 00 00 00 00
     15 16 17 18 19 1a 1b 1c 1d 1e 1f 20
     02 08 00 00 00 00 00 00 00 00 00 00`,
    {
      immediate: false,
      transit: false,
      continue: true,
      currentStage: 1,
      nextStage: 0,
      versionMax: 6,
      versionActive: 7,
      isid: bytes('80 09 0a 0b 0c 0d'),
      tsih: 0x0e0f,
      initiatorTaskTag: tag,
      statSn: 0x15161718,
      expCmdSn: 0x191a1b1c,
      maxCmdSn: 0x1d1e1f20,
      statusClass: 2,
      statusDetail: 8,
    },
  ),
  figure(
    '11.15',
    logoutResponse,
    `26 80 02 00 02 03 04 05 00 00 00 00
     00 00 00 00 11 12 13 14 00 00 00 00
     15 16 17 18 19 1a 1b 1c 1d 1e 1f 20
     00 00 00 00 25 26 27 28 00 00 00 00`,
    {
      immediate: false,
      final: true,
      response: 2,
      initiatorTaskTag: tag,
      statSn: 0x15161718,
      expCmdSn: 0x191a1b1c,
      maxCmdSn: 0x1d1e1f20,
      time2Wait: 0x2526,
      time2Retain: 0x2728,
    },
  ),
  figure(
    '11.17',
    reject,
    `3f 80 04 00 02 03 04 05 00 00 00 00
     00 00 00 00 ff ff ff ff 00 00 00 00
     15 16 17 18 19 1a 1b 1c 1d 1e 1f 20
     21 22 23 24 00 00 00 00 00 00 00 00`,
    {
      immediate: false,
      final: true,
      reason: 4,
      initiatorTaskTag: 0xffffffff,
      statSn: 0x15161718,
      expCmdSn: 0x191a1b1c,
      maxCmdSn: 0x1d1e1f20,
      dataSn: 0x21222324,
    },
  ),
  figure(
    '11.19',
    nopIn,
    `20 80 00 00 02 03 04 05 00 0a 0b 0c
     0d 0e 0f 10 11 12 13 14 15 16 17 18
     19 1a 1b 1c 1d 1e 1f 20 21 22 23 24
     00 00 00 00 00 00 00 00 00 00 00 00`,
    {
      immediate: false,
      final: true,
      lun,
      initiatorTaskTag: tag,
      targetTransferTag: 0x15161718,
      statSn: 0x191a1b1c,
      expCmdSn: 0x1d1e1f20,
      maxCmdSn: 0x21222324,
    },
  ),
];
