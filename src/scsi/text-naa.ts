/** The name that tgtd makes of the text which identifies a disk. */

/** ASCII characters of a SCSI ID, and of a serial number. */
export const textBytesMax = 36;

/** The NAA 6 in hexadecimal digits: a character that is none counts as 0, and the last 31 are taken. */
export const textNaa = (scsiId: string): string =>
  `6${scsiId
    .replace(/[^0-9a-fA-F]/g, '0')
    .toLowerCase()
    .padStart(32, '0')
    .slice(-31)}`;
