/** Records of bytes: the fields of a record are declared once, and reading, writing and checking come from that. */

/** One field of a record, relative to where the record starts. Numbers are big-endian. */
export interface Field<V = unknown> {
  /** First byte, and how many bytes the field touches. */
  readonly at: number;
  readonly length: number;
  /** The bits that a field within one byte owns; 0xff in all others. */
  readonly mask: number;
  get(bytes: Uint8Array, start: number): V;
  set(bytes: Uint8Array, start: number, value: V): void;
}

export type Fields = Readonly<Record<string, Field>>;
/** The values of a record's fields. */
export type Values<F extends Fields> = { -readonly [K in keyof F]: F[K] extends Field<infer V> ? V : never };

export const u8 = (at: number): Field<number> => ({
  at,
  length: 1,
  mask: 0xff,
  get: (bytes, start) => bytes[start + at]!,
  set: (bytes, start, value) => {
    bytes[start + at] = value;
  },
});

export const u16 = (at: number): Field<number> => ({
  at,
  length: 2,
  mask: 0xff,
  get: (bytes, start) => (bytes[start + at]! << 8) | bytes[start + at + 1]!,
  set: (bytes, start, value) => {
    bytes[start + at] = value >>> 8;
    bytes[start + at + 1] = value;
  },
});

export const u24 = (at: number): Field<number> => ({
  at,
  length: 3,
  mask: 0xff,
  get: (bytes, start) => (bytes[start + at]! << 16) | (bytes[start + at + 1]! << 8) | bytes[start + at + 2]!,
  set: (bytes, start, value) => {
    bytes[start + at] = value >>> 16;
    bytes[start + at + 1] = value >>> 8;
    bytes[start + at + 2] = value;
  },
});

export const u32 = (at: number): Field<number> => ({
  at,
  length: 4,
  mask: 0xff,
  get: (bytes, start) => {
    const first = start + at;
    return ((bytes[first]! << 24) | (bytes[first + 1]! << 16) | (bytes[first + 2]! << 8) | bytes[first + 3]!) >>> 0;
  },
  set: (bytes, start, value) => {
    const first = start + at;
    bytes[first] = value >>> 24;
    bytes[first + 1] = value >>> 16;
    bytes[first + 2] = value >>> 8;
    bytes[first + 3] = value;
  },
});

/** Above 2^53 it is rounded: further than any medium reaches. */
export const u64 = (at: number): Field<number> => {
  const high = u32(at);
  const low = u32(at + 4);
  return {
    at,
    length: 8,
    mask: 0xff,
    get: (bytes, start) => high.get(bytes, start) * 2 ** 32 + low.get(bytes, start),
    set: (bytes, start, value) => {
      high.set(bytes, start, Math.floor(value / 2 ** 32));
      low.set(bytes, start, value);
    },
  };
};

/** Eight bytes of which every bit counts: magic numbers, cookies. */
export const exact64 = (at: number): Field<bigint> => {
  const high = u32(at);
  const low = u32(at + 4);
  return {
    at,
    length: 8,
    mask: 0xff,
    get: (bytes, start) => (BigInt(high.get(bytes, start)) << 32n) | BigInt(low.get(bytes, start)),
    set: (bytes, start, value) => {
      high.set(bytes, start, Number(value >> 32n));
      low.set(bytes, start, Number(value & 0xffffffffn));
    },
  };
};

/** One bit of one byte, `mask` says which. */
export const bit = (at: number, mask: number): Field<boolean> => ({
  at,
  length: 1,
  mask,
  get: (bytes, start) => (bytes[start + at]! & mask) !== 0,
  set: (bytes, start, value) => {
    const kept = bytes[start + at]! & ~mask;
    bytes[start + at] = value ? kept | mask : kept;
  },
});

/** A number within one byte: the bits of `mask`, which stand together. */
export const bits = (at: number, mask: number): Field<number> => {
  const shift = 31 - Math.clz32(mask & -mask);
  return {
    at,
    length: 1,
    mask,
    get: (bytes, start) => (bytes[start + at]! & mask) >>> shift,
    set: (bytes, start, value) => {
      bytes[start + at] = (bytes[start + at]! & ~mask) | ((value << shift) & mask);
    },
  };
};

/** A copy of `length` bytes: a Buffer's own `slice` would share them. */
export function copyOf(bytes: Uint8Array, start: number, length: number): Uint8Array {
  const copy = new Uint8Array(length);
  for (let at = 0; at < length; at += 1) copy[at] = bytes[start + at]!;
  return copy;
}

/** `length` bytes as they are. `get` copies; a value that is shorter leaves the rest alone. */
export const octets = (at: number, length: number): Field<Uint8Array> => ({
  at,
  length,
  mask: 0xff,
  get: (bytes, start) => copyOf(bytes, start + at, length),
  set: (bytes, start, value) => bytes.set(value.subarray(0, length), start + at),
});

/** Every field's value. */
export function read<F extends Fields>(fields: F, bytes: Uint8Array, start = 0): Values<F> {
  const values = Object.entries(fields).map(([name, field]) => [name, field.get(bytes, start)]);
  return Object.fromEntries(values) as Values<F>;
}

/** Writes the fields that `values` names, and touches no other bit. */
export function write<F extends Fields>(
  fields: F,
  bytes: Uint8Array,
  start: number,
  values: Partial<Values<NoInfer<F>>>,
): void {
  for (const name in values) fields[name]!.set(bytes, start, values[name]);
}

/**
 * The fields, checked: they lie within `length` bytes and no two own the same bit.
 * @throws Error at start-up: a wrong declaration is a bug
 */
export function record<F extends Fields>(length: number, fields: F): F {
  const owned = new Uint8Array(length);
  for (const [name, field] of Object.entries(fields)) {
    for (let at = field.at; at < field.at + field.length; at += 1) {
      if (at >= length || (owned[at]! & field.mask) !== 0) throw new Error(`field ${name} does not fit at byte ${at}`);
      owned[at]! |= field.mask;
    }
  }
  return fields;
}
