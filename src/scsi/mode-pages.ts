/** The mode pages there are, one record each (SPC-4 7.5; SBC-3 6.5). */

import { bit, bits, record, u16 } from '../wire/layout.ts';
import { controlMode } from './control-mode.ts';
import { informationalExceptions, onRequest } from './informational-exceptions.ts';
import type { StorageObject } from './logical-unit.ts';
import { writesOf } from './lost-writes.ts';
import { currentPage, type ModePage, modePage } from './mode-page.ts';
import {
  askForThresholds,
  offersThresholds,
  provisioningPage,
  provisioningThresholds,
} from './provisioning-threshold.ts';

/** UA_INTLCK_CTRL by the attribute emulate_ua_intlck_ctrl. */
const interlocks = [0, 2, 3] as const;
/** QUEUE ALGORITHM MODIFIER. */
const unrestrictedReordering = 1;
/** BUSY TIMEOUT PERIOD: not defined. */
const undefinedPeriod = 0xffff;
const extendedSelfTestSeconds = 30;

/** Every mode page there is, in the order of MODE SENSE. */
export const modePages: readonly ModePage[] = [
  modePage({
    code: 0x01,
    name: 'Read-Write Error Recovery',
    spec: 'SBC-3 6.5.8',
    layout: record(12, { lbpere: bit(7, 0x80) }),
    values: (lu) => ({ lbpere: offersThresholds(lu) && provisioningThresholds.of(lu).reports }),
    changeable: {
      lbpere: {
        offered: offersThresholds,
        initial: offersThresholds,
        set: (lu, reports) => askForThresholds(lu, { reports }),
      },
    },
  }),
  modePage({
    code: 0x08,
    name: 'Caching',
    spec: 'SBC-3 6.5.5',
    layout: record(20, { wce: bit(2, 0x04), dra: bit(12, 0x20) }),
    values: (lu) => ({ wce: lu.attributes.values.emulate_write_cache === 1, dra: true }),
    changeable: {
      wce: { initial: (lu) => lu.initial('emulate_write_cache') === 1, set: setWriteCache },
    },
  }),
  modePage({
    code: 0x0a,
    name: 'Control',
    spec: 'SPC-4 7.5.8',
    layout: record(12, {
      dSense: bit(2, 0x04),
      gltsd: bit(2, 0x02),
      queueAlgorithmModifier: bits(3, 0xf0),
      uaInterlock: bits(4, 0x30),
      swp: bit(4, 0x08),
      tas: bit(5, 0x40),
      busyTimeoutPeriod: u16(8),
      extendedSelfTestSeconds: u16(10),
    }),
    values: (lu) => {
      const { emulate_rest_reord, emulate_ua_intlck_ctrl, emulate_tas } = lu.attributes.values;
      const { descriptorSense, softwareWriteProtect } = controlMode.of(lu);
      return {
        dSense: descriptorSense,
        gltsd: true,
        queueAlgorithmModifier: emulate_rest_reord === 0 ? unrestrictedReordering : 0,
        uaInterlock: interlocks[emulate_ua_intlck_ctrl as 0] ?? 0,
        swp: softwareWriteProtect,
        tas: emulate_tas === 1,
        busyTimeoutPeriod: undefinedPeriod,
        extendedSelfTestSeconds,
      };
    },
    changeable: {
      dSense: { set: (lu, descriptorSense) => controlMode.set(lu, { descriptorSense }) },
      swp: { set: (lu, softwareWriteProtect) => controlMode.set(lu, { softwareWriteProtect }) },
      tas: {
        initial: (lu) => lu.initial('emulate_tas') === 1,
        set: (lu, on) => lu.configure({ name: 'emulate_tas', value: on ? 1 : 0 }),
      },
    },
  }),
  modePage({
    code: 0x0a,
    subpage: 0x01,
    name: 'Control Extension',
    spec: 'SPC-4 7.5.9',
    layout: record(32, { tcmos: bit(4, 0x04), scsip: bit(4, 0x02), ialuae: bit(4, 0x01) }),
    values: (lu) => ({ tcmos: true, scsip: true, ialuae: lu.attributes.values.alua_support === 1 }),
    changeable: {},
  }),
  modePage({
    code: 0x1a,
    name: 'Power Condition',
    spec: 'SPC-4 7.5.13',
    // No timer is enabled, and none can be.
    layout: record(40, {}),
    values: () => ({}),
    changeable: {},
  }),
  modePage({
    code: 0x1c,
    name: 'Informational Exceptions Control',
    spec: 'SPC-4 7.5.11',
    layout: record(12, { dexcpt: bit(2, 0x08), test: bit(2, 0x04), mrie: bits(3, 0x0f) }),
    values: (lu) => {
      const { disabled, test, reporting } = informationalExceptions.of(lu);
      return { dexcpt: disabled, test, mrie: reporting };
    },
    changeable: {
      dexcpt: { set: (lu, disabled) => informationalExceptions.set(lu, { disabled }) },
      test: { set: (lu, test) => informationalExceptions.set(lu, { test }) },
      // No reporting, or on request.
      mrie: { only: [0, onRequest], set: (lu, reporting) => informationalExceptions.set(lu, { reporting }) },
    },
    // TEST makes a failure up, which DEXCPT says is not to be reported.
    wrong: ({ dexcpt, test }) => (dexcpt && test ? 'dexcpt' : undefined),
  }),
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
  Buffer.concat(offeredPages(lu).map((page) => currentPage(page, lu)));

/**
 * Switches the write cache. The switch is refused where the cached data cannot be brought to the medium: for the initiator, that is the
 * medium's error.
 */
async function setWriteCache(lu: StorageObject, on: boolean): Promise<void> {
  try {
    await lu.configure({ name: 'emulate_write_cache', value: on ? 1 : 0 });
  } catch (error) {
    writesOf(lu).check();
    throw error;
  }
}
