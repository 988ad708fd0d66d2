/**
 * Differences between a storage object and its form in the file, for LIO's sake (operations/groups.ts says why): values that LIO does
 * not have stand in the file itself, as path → name → value, and colons of a user backstore are written as `%3A`.
 */

import { backstores } from '../backstore/index.ts';
import { elsewhere, type Told } from '../operations/groups.ts';
import { isRaw, others, type Raw, rawOf } from '../operations/raw.ts';

/** Keys of storage objects, beside their attributes, that LIO does not have. */
const ownKeys = new Set(
  backstores.flatMap(({ keys }) => Object.entries(keys).flatMap(([key, { ours }]) => (ours ? [key] : []))),
);

/** rtslib takes no colon in the string of a user backstore, and every NBD URI has one. */
const withColons = (form: Raw, recode: (text: string) => string): Raw =>
  form['plugin'] === 'user' && typeof form['config'] === 'string' ? { ...form, config: recode(form['config']) } : form;
/** A `%3A` that is in the string itself is written as `%253A`, and so on. */
const colonsHidden = (text: string) => text.replace(/%(?=(?:25)*3A)/g, '%25').replaceAll(':', '%3A');
const colonsShown = (text: string) => text.replaceAll('%3A', ':').replace(/%25(?=(?:25)*3A)/g, '%');

/**
 * The saved forms of storage objects, by path, and the keys of the file that have their attributes. @param before the keys that the file
 * had there
 */
export function apart(forms: readonly (readonly [path: string, form: Raw])[], before: unknown) {
  // An object that was not restored keeps its attributes in the file; those of an object that came later replace them.
  const paths = new Set(forms.map(([path]) => path));
  const kept = Object.entries(rawOf(before)).filter(([path]) => !paths.has(path));
  const own = forms.map(([path, form]) => {
    const keys = Object.entries(form).filter(([key]) => ownKeys.has(key));
    return [path, { ...rawOf(form[elsewhere]), ...Object.fromEntries(keys) }] as const;
  });
  const all = [...own.filter(([, attributes]) => Object.keys(attributes).length > 0), ...kept];
  const isOwn = (key: string) => key === elsewhere || ownKeys.has(key);
  return {
    storage_objects: forms.map(([, form]) => {
      const keys = Object.keys(form).some(isOwn) ? Object.entries(form).filter(([key]) => !isOwn(key)) : undefined;
      return withColons(keys ? Object.fromEntries(keys) : form, colonsHidden);
    }),
    ...(all.length > 0 && { [elsewhere]: Object.fromEntries(all) }),
  };
}

/** A saved storage object with what stands of it in the file itself. */
export function together(form: Raw, path: string, { [elsewhere]: all }: Raw): Raw {
  const shown = withColons(form, colonsShown);
  const mine = Object.hasOwn(rawOf(all), path) ? rawOf(all)[path] : undefined;
  if (mine === undefined) return shown;
  const keys = isRaw(mine) ? Object.entries(mine).filter(([key]) => ownKeys.has(key)) : [];
  return { ...Object.fromEntries(keys), ...shown, [elsewhere]: isRaw(mine) ? others(mine, [...ownKeys]) : mine };
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
