/** Attributes of storage objects that stand in the file itself: path → name → value (operations/groups.ts says why). */

import { elsewhere, type Told } from '../operations/groups.ts';
import { isRaw, type Raw, rawOf } from '../operations/raw.ts';

/**
 * The saved forms of storage objects, by path, and the keys of the file that have their attributes. @param before the keys that the file
 * had there
 */
export function apart(forms: readonly (readonly [path: string, form: Raw])[], before: unknown) {
  // An object that was not restored keeps its attributes in the file; those of an object that came later replace them.
  const paths = new Set(forms.map(([path]) => path));
  const kept = Object.entries(rawOf(before)).filter(([path]) => !paths.has(path));
  const own = forms.map(([path, form]) => [path, rawOf(form[elsewhere])] as const);
  const all = [...own.filter(([, attributes]) => Object.keys(attributes).length > 0), ...kept];
  return {
    storage_objects: forms.map(([, { [elsewhere]: _, ...form }]) => form),
    ...(all.length > 0 && { [elsewhere]: Object.fromEntries(all) }),
  };
}

/** A saved storage object with those of its attributes that stand in the file itself. */
export function together(form: Raw, path: string, { [elsewhere]: all }: Raw): Raw {
  const mine = Object.hasOwn(rawOf(all), path) ? rawOf(all)[path] : undefined;
  return mine === undefined ? form : { ...form, [elsewhere]: mine };
}

/** The keys of the file without the attributes of objects that have them now: those objects write them. */
export function unclaimed({ [elsewhere]: all, ...top }: Raw, isThere: (path: string) => boolean): Raw {
  if (!isRaw(all)) return all === undefined ? top : { ...top, [elsewhere]: all };
  const left = Object.entries(all).filter(([path]) => !isThere(path));
  return left.length > 0 ? { ...top, [elsewhere]: Object.fromEntries(left) } : top;
}

/** Reports attributes that are unusable as a whole. */
export function checkElsewhere({ [elsewhere]: all }: Raw, told: Pick<Told, 'error'>): void {
  if (all !== undefined && !isRaw(all)) told.error(`'${elsewhere}' is no object`);
}

/** `saved` with the attributes of one storage object as they are in `now`. */
export function withAttributesOf(path: string, { [elsewhere]: now }: Raw, { [elsewhere]: saved }: Raw): Raw {
  const { [path]: _, ...others } = rawOf(saved);
  const all = { ...others, ...(Object.hasOwn(rawOf(now), path) && { [path]: rawOf(now)[path] }) };
  return Object.keys(all).length > 0 ? { [elsewhere]: all } : {};
}
