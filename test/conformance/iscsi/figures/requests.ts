// RFC 7143 11: the headers of an initiator, byte by byte as the figures have them.

import {
  dataOut,
  loginRequest,
  logoutRequest,
  nopOut,
  scsiCommand,
  snackRequest,
  taskManagementRequest,
  textRequest,
} from '../../../../src/iscsi/pdu.ts';
import { bytes, type Figure, figure, lun, tag } from './figure.ts';

export const requests: Figure[] = [
  figure(
    '11.3',
    scsiCommand,
    `41 a3 00 00 02 03 04 05 00 0a 0b 0c
     0d 0e 0f 10 11 12 13 14 15 16 17 18
     19 1a 1b 1c 1d 1e 1f 20 8a 02 03 04
     05 06 07 08 09 0a 0b 0c 0d 0e 0f 10`,
    {
      immediate: true,
      final: true,
      read: false,
      write: true,
      attribute: 3,
      lun,
      initiatorTaskTag: tag,
      expectedDataTransferLength: 0x15161718,
      cmdSn: 0x191a1b1c,
      expStatSn: 0x1d1e1f20,
      cdb: bytes('8a 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f 10'),
    },
  ),
  figure(
    '11.5',
    taskManagementRequest,
    `42 85 00 00 02 03 04 05 00 0a 0b 0c
     0d 0e 0f 10 11 12 13 14 15 16 17 18
     19 1a 1b 1c 1d 1e 1f 20 21 22 23 24
     25 26 27 28 00 00 00 00 00 00 00 00`,
    {
      immediate: true,
      final: true,
      function: 5,
      lun,
      initiatorTaskTag: tag,
      referencedTaskTag: 0x15161718,
      cmdSn: 0x191a1b1c,
      expStatSn: 0x1d1e1f20,
      refCmdSn: 0x21222324,
      expDataSn: 0x25262728,
    },
  ),
  figure(
    '11.7',
    dataOut,
    `05 80 00 00 02 03 04 05 00 0a 0b 0c
     0d 0e 0f 10 11 12 13 14 15 16 17 18
     00 00 00 00 19 1a 1b 1c 00 00 00 00
     1d 1e 1f 20 21 22 23 24 00 00 00 00`,
    {
      immediate: false,
      final: true,
      lun,
      initiatorTaskTag: tag,
      targetTransferTag: 0x15161718,
      expStatSn: 0x191a1b1c,
      dataSn: 0x1d1e1f20,
      bufferOffset: 0x21222324,
    },
  ),
  figure(
    '11.10',
    textRequest,
    `44 40 00 00 02 03 04 05 00 0a 0b 0c
     0d 0e 0f 10 11 12 13 14 15 16 17 18
     19 1a 1b 1c 1d 1e 1f 20 00 00 00 00
     00 00 00 00 00 00 00 00 00 00 00 00`,
    {
      immediate: true,
      final: false,
      continue: true,
      lun,
      initiatorTaskTag: tag,
      targetTransferTag: 0x15161718,
      cmdSn: 0x191a1b1c,
      expStatSn: 0x1d1e1f20,
    },
  ),
  figure(
    '11.12',
    loginRequest,
    `43 87 06 07 02 03 04 05 80 09 0a 0b
     0c 0d 0e 0f 11 12 13 14 15 16 00 00
     19 1a 1b 1c 1d 1e 1f 20 00 00 00 00
     00 00 00 00 00 00 00 00 00 00 00 00`,
    {
      immediate: true,
      transit: true,
      continue: false,
      currentStage: 1,
      nextStage: 3,
      versionMax: 6,
      versionMin: 7,
      isid: bytes('80 09 0a 0b 0c 0d'),
      tsih: 0x0e0f,
      initiatorTaskTag: tag,
      cid: 0x1516,
      cmdSn: 0x191a1b1c,
      expStatSn: 0x1d1e1f20,
    },
  ),
  figure(
    '11.14',
    logoutRequest,
    `46 81 00 00 02 03 04 05 00 00 00 00
     00 00 00 00 11 12 13 14 15 16 00 00
     19 1a 1b 1c 1d 1e 1f 20 00 00 00 00
     00 00 00 00 00 00 00 00 00 00 00 00`,
    {
      immediate: true,
      final: true,
      reason: 1,
      initiatorTaskTag: tag,
      cid: 0x1516,
      cmdSn: 0x191a1b1c,
      expStatSn: 0x1d1e1f20,
    },
  ),
  figure(
    '11.16',
    snackRequest,
    `10 83 00 00 02 03 04 05 00 0a 0b 0c
     0d 0e 0f 10 11 12 13 14 15 16 17 18
     00 00 00 00 19 1a 1b 1c 00 00 00 00
     00 00 00 00 1d 1e 1f 20 21 22 23 24`,
    {
      immediate: false,
      final: true,
      type: 3,
      lun,
      initiatorTaskTag: tag,
      targetTransferTag: 0x15161718,
      expStatSn: 0x191a1b1c,
      begRun: 0x1d1e1f20,
      runLength: 0x21222324,
    },
  ),
  figure(
    '11.18',
    nopOut,
    `40 80 00 00 02 03 04 05 00 0a 0b 0c
     0d 0e 0f 10 11 12 13 14 15 16 17 18
     19 1a 1b 1c 1d 1e 1f 20 00 00 00 00
     00 00 00 00 00 00 00 00 00 00 00 00`,
    {
      immediate: true,
      final: true,
      lun,
      initiatorTaskTag: tag,
      targetTransferTag: 0x15161718,
      cmdSn: 0x191a1b1c,
      expStatSn: 0x1d1e1f20,
    },
  ),
];
