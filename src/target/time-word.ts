/**
 * Times as words, in ISO 8601 and UTC, as `2026-11-30T14:30:00Z`: in settings, saved files and journals. A word from there may be anything.
 */

/** Years beyond 9999 have a sign and six digits. */
const form = /^(?:\d{4}|\+\d{6})-\d\d-\d\dT[\d:.]+Z$/;

/** The time that a word says, in milliseconds since 1970; NaN, to which every comparison says no, where the word says none. */
export const timeIn = (word: string): number => (form.test(word) ? Date.parse(word) : Number.NaN);

/** Whether a word says a time. */
export const isTime = (word: string): boolean => !Number.isNaN(timeIn(word));
