/** The mode pages there are, one record each (SPC-4 7.5; SBC-3 6.5). */

import { controlMode } from './control-mode.ts';
import { informationalExceptions, onRequest } from './informational-exceptions.ts';
import type { StorageObject } from './logical-unit.ts';
import { writesOf } from './lost-writes.ts';
import { flagOf, type ModePage } from './mode-page.ts';
import {
  askForThresholds,
  offersThresholds,
  provisioningPage,
  provisioningThresholds,
} from './provisioning-threshold.ts';

/** Every mode page there is, in the order of MODE SENSE. */
export const modePages: readonly ModePage[] = [
  {
    code: 0x01,
    name: 'Read-Write Error Recovery',
    spec: 'SBC-3 6.5.8',
    current: (lu) => {
      const bytes = new Uint8Array(10);
      bytes[5] = flagOf(offersThresholds(lu) && provisioningThresholds.of(lu).reports, 0x80); // LBPERE
      return bytes;
    },
    changeable: [
      {
        byte: 5,
        mask: 0x80,
        offered: offersThresholds,
        initial: (lu) => flagOf(offersThresholds(lu), 0x80),
        set: (lu, on) => askForThresholds(lu, { reports: on !== 0 }),
      },
    ],
  },
  {
    code: 0x08,
    name: 'Caching',
    spec: 'SBC-3 6.5.5',
    current: (lu) => {
      const bytes = new Uint8Array(18);
      bytes[0] = flagOf(lu.attributes.values.emulate_write_cache, 0x04); // WCE
      bytes[10] = 0x20; // DRA
      return bytes;
    },
    changeable: [
      {
        byte: 0,
        mask: 0x04,
        initial: (lu) => flagOf(lu.initial('emulate_write_cache'), 0x04),
        set: setWriteCache,
      },
    ],
  },
  {
    code: 0x0a,
    name: 'Control',
    spec: 'SPC-4 7.5.8',
    current: (lu) => {
      const { emulate_rest_reord, emulate_ua_intlck_ctrl, emulate_tas } = lu.attributes.values;
      const { descriptorSense, softwareWriteProtect } = controlMode.of(lu);
      const interlock = [0x00, 0x20, 0x30][emulate_ua_intlck_ctrl] ?? 0;
      const bytes = new Uint8Array(10);
      bytes[0] = 0x02 | flagOf(descriptorSense, 0x04); // GLTSD, D_SENSE
      bytes[1] = flagOf(emulate_rest_reord === 0, 0x10); // QUEUE ALGORITHM MODIFIER: unrestricted
      bytes[2] = interlock | flagOf(softwareWriteProtect, 0x08); // UA_INTLCK_CTRL, SWP
      bytes[3] = flagOf(emulate_tas, 0x40); // TAS
      bytes.set([0xff, 0xff, 0x00, 0x1e], 6); // BUSY TIMEOUT PERIOD: not defined; self-test: 30 s
      return bytes;
    },
    changeable: [
      { byte: 0, mask: 0x04, set: (lu, on) => controlMode.set(lu, { descriptorSense: on !== 0 }) },
      { byte: 2, mask: 0x08, set: (lu, on) => controlMode.set(lu, { softwareWriteProtect: on !== 0 }) },
      {
        byte: 3,
        mask: 0x40,
        initial: (lu) => flagOf(lu.initial('emulate_tas'), 0x40),
        set: (lu, on) => lu.configure({ name: 'emulate_tas', value: on ? 1 : 0 }),
      },
    ],
  },
  {
    code: 0x0a,
    subpage: 0x01,
    name: 'Control Extension',
    spec: 'SPC-4 7.5.9',
    current: (lu) => {
      const bytes = new Uint8Array(28);
      bytes[0] = 0x06 | flagOf(lu.attributes.values.alua_support, 0x01); // TCMOS, SCSIP; IALUAE
      return bytes;
    },
    changeable: [],
  },
  {
    code: 0x1a,
    name: 'Power Condition',
    spec: 'SPC-4 7.5.13',
    // No timer is enabled, and none can be.
    current: () => new Uint8Array(38),
    changeable: [],
  },
  {
    code: 0x1c,
    name: 'Informational Exceptions Control',
    spec: 'SPC-4 7.5.11',
    current: (lu) => {
      const { disabled, test, reporting } = informationalExceptions.of(lu);
      const bytes = new Uint8Array(10);
      bytes[0] = flagOf(disabled, 0x08) | flagOf(test, 0x04); // DEXCPT, TEST
      bytes[1] = reporting;
      return bytes;
    },
    changeable: [
      { byte: 0, mask: 0x08, set: (lu, on) => informationalExceptions.set(lu, { disabled: on !== 0 }) },
      { byte: 0, mask: 0x04, set: (lu, on) => informationalExceptions.set(lu, { test: on !== 0 }) },
      // MRIE: no reporting, or on request.
      {
        byte: 1,
        mask: 0x0f,
        only: [0, onRequest],
        set: (lu, reporting) => informationalExceptions.set(lu, { reporting }),
      },
    ],
    // DEXCPT and TEST: a failure that is made up and not reported is none.
    wrong: (bytes) => ((bytes[0]! & 0x0c) === 0x0c ? { byte: 0, bit: 3 } : undefined),
  },
  provisioningPage,
];

/** The pages that a logical unit has. */
export const offeredPages = (lu: StorageObject): readonly ModePage[] =>
  modePages.filter(({ offered }) => offered?.(lu) ?? true);

/** DPO and FUA bits are accepted: where writes are cached. MODE SENSE's DPOFUA bit and the CDBs' usage bits follow it. */
export function offersFua(lu: StorageObject): boolean {
  const { emulate_fua_write, emulate_write_cache } = lu.attributes.values;
  return emulate_fua_write === 1 && emulate_write_cache === 1;
}

/** All pages as they are now: to see what a setting changes. */
export const modeData = (lu: StorageObject): Uint8Array =>
  Buffer.concat(offeredPages(lu).map((page) => page.current(lu)));

/** It is refused where what the cache holds cannot be brought to the medium: for the initiator, that is the medium's error. */
async function setWriteCache(lu: StorageObject, on: number): Promise<void> {
  try {
    await lu.configure({ name: 'emulate_write_cache', value: on ? 1 : 0 });
  } catch (error) {
    writesOf(lu).check();
    throw error;
  }
}
