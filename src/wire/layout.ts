/** Records of bytes: the fields of a record are declared once, and reading, writing and checking come from that. */

/** One field of a record, relative to where the record starts. Numbers are big-endian. */
export interface Field<V = unknown> {
  /** First byte, and how many bytes the field touches. */
  readonly at: number;
  readonly length: number;
  /** The bits of its first byte that a field owns; of the others it owns all. */
  readonly mask: number;
  /** Set for a length: the byte from which on it counts. `encode` fills it in. */
  readonly counts?: number;
  get(bytes: Uint8Array, start: number): V;
  set(bytes: Uint8Array, start: number, value: V): void;
}

/** Fields by their names. */
export type Fields = Readonly<Record<string, Field>>;
/** The values of a record's fields. */
export type Values<F extends Fields> = { -readonly [K in keyof F]: F[K] extends Field<infer V> ? V : never };

/** The fields of a record that begins with `length` bytes; more may follow them. */
export interface Layout<F extends Fields = Fields> {
  readonly length: number;
  readonly fields: F;
  /** The fields in a list. */
  readonly entries: readonly (readonly [name: string, field: Field])[];
  /** The values of the fields in zeros. */
  readonly unset: Values<F>;
}

/** A whole byte. */
export const u8 = (at: number): Field<number> => ({
  at,
  length: 1,
  mask: 0xff,
  get: (bytes, start) => bytes[start + at]!,
  set: (bytes, start, value) => {
    bytes[start + at] = value;
  },
});

/** A number of two bytes. */
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

/** A number of three bytes. */
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

/** A number of four bytes. */
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

/** A number of two bytes, least byte first. */
export const little16 = (at: number): Field<number> => ({
  at,
  length: 2,
  mask: 0xff,
  get: (bytes, start) => bytes[start + at]! | (bytes[start + at + 1]! << 8),
  set: (bytes, start, value) => {
    bytes[start + at] = value;
    bytes[start + at + 1] = value >>> 8;
  },
});

/** A number of four bytes, least byte first. */
export const little32 = (at: number): Field<number> => ({
  at,
  length: 4,
  mask: 0xff,
  get: (bytes, start) => {
    const first = start + at;
    return (bytes[first]! | (bytes[first + 1]! << 8) | (bytes[first + 2]! << 16) | (bytes[first + 3]! << 24)) >>> 0;
  },
  set: (bytes, start, value) => {
    const first = start + at;
    bytes[first] = value;
    bytes[first + 1] = value >>> 8;
    bytes[first + 2] = value >>> 16;
    bytes[first + 3] = value >>> 24;
  },
});

/** A number of six bytes. */
export const u48 = (at: number): Field<number> => {
  const high = u16(at);
  const low = u32(at + 2);
  return {
    at,
    length: 6,
    mask: 0xff,
    get: (bytes, start) => high.get(bytes, start) * 2 ** 32 + low.get(bytes, start),
    set: (bytes, start, value) => {
      high.set(bytes, start, Math.floor(value / 2 ** 32));
      low.set(bytes, start, value);
    },
  };
};

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

/** A number of eight bytes, least byte first. Above 2^53 it is rounded. */
export const little64 = (at: number): Field<number> => {
  const [low, high] = [little32(at), little32(at + 4)];
  return {
    at,
    length: 8,
    mask: 0xff,
    get: (bytes, start) => high.get(bytes, start) * 2 ** 32 + low.get(bytes, start),
    set: (bytes, start, value) => {
      low.set(bytes, start, value % 2 ** 32);
      high.set(bytes, start, Math.floor(value / 2 ** 32));
    },
  };
};

/** All 64 bits, least byte first. */
export const exactLittle64 = (at: number): Field<bigint> => {
  const [low, high] = [little32(at), little32(at + 4)];
  return {
    at,
    length: 8,
    mask: 0xff,
    get: (bytes, start) => (BigInt(high.get(bytes, start)) << 32n) | BigInt(low.get(bytes, start)),
    set: (bytes, start, value) => {
      low.set(bytes, start, Number(value & 0xffffffffn));
      high.set(bytes, start, Number(value >> 32n));
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

/** Latin-1 text, padded with spaces to `length` bytes. */
export const text = (at: number, length: number): Field<string> => ({
  at,
  length,
  mask: 0xff,
  get: (bytes, start) =>
    asBuffer(bytes)
      .toString('latin1', start + at, start + at + length)
      .trimEnd(),
  set: (bytes, start, value) => {
    asBuffer(bytes).write(value.padEnd(length), start + at, length, 'latin1');
  },
});

/** `length` bytes as two hexadecimal digits each. */
export const hex = (at: number, length: number): Field<string> => ({
  at,
  length,
  mask: 0xff,
  get: (bytes, start) => asBuffer(bytes).toString('hex', start + at, start + at + length),
  set: (bytes, start, value) => {
    asBuffer(bytes).write(value, start + at, length, 'hex');
  },
});

const asBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);

/** The lower `width` bits of a number; those above them, in its first byte, belong to other fields. */
export const lower = (width: number, field: Field<number>): Field<number> => {
  const { at, length } = field;
  const mask = 2 ** (width - 8 * (length - 1)) - 1;
  const range = 2 ** width;
  return {
    ...field,
    mask,
    get: (bytes, start) => field.get(bytes, start) % range,
    set: (bytes, start, value) => {
      const above = bytes[start + at]! & ~mask;
      field.set(bytes, start, value);
      bytes[start + at] = above | (bytes[start + at]! & mask);
    },
  };
};

/** A number of which 0 stands for `meaning`. */
export const zeroMeans = (meaning: number, field: Field<number>): Field<number> => ({
  ...field,
  get: (bytes, start) => field.get(bytes, start) || meaning,
  set: (bytes, start, value) => field.set(bytes, start, value === meaning ? 0 : value),
});

/** The field of a length that `encode` knows. */
interface Counter extends Field<number> {
  readonly counts: number;
}

/**
 * A length that counts the bytes from one on, to the end of what stands behind the record, too.
 * @param from absent: those behind the field itself
 */
export const counting = (field: Field<number>, from = field.at + field.length): Counter => ({
  ...field,
  counts: from,
});

/**
 * Fields that lie within `length` bytes, no two of which own the same bit.
 * @throws Error at start-up: a wrong declaration is a bug
 */
export function record<F extends Fields>(length: number, fields: F): Layout<F> {
  const entries = Object.entries(fields);
  const owned = new Uint8Array(length);
  for (const [name, field] of entries)
    for (let i = 0; i < field.length; i += 1) {
      const at = field.at + i;
      const mask = i === 0 ? field.mask : 0xff;
      if (at >= length || (owned[at]! & mask) !== 0) throw new Error(`field ${name} does not fit at byte ${at}`);
      owned[at]! |= mask;
    }
  const zeros = new Uint8Array(length);
  const unset = Object.fromEntries(entries.map(([name, field]) => [name, field.get(zeros, 0)])) as Values<F>;
  return { length, fields, entries, unset };
}

/** `length` bytes with a 1 for each bit of these fields. */
export function bitsOf(length: number, fields: readonly Pick<Field, 'at' | 'length' | 'mask'>[]): Uint8Array {
  const bytes = new Uint8Array(length);
  for (const field of fields) {
    bytes[field.at]! |= field.mask;
    if (field.length > 1) bytes.fill(0xff, field.at + 1, field.at + field.length);
  }
  return bytes;
}

/** Every field's value. The bytes have to be there: of what is shorter, look at its length first. */
export function decode<F extends Fields>({ entries, unset }: Layout<F>, bytes: Uint8Array, start = 0): Values<F> {
  // With its fields in place from the beginning: adding them one by one would make each object change its shape that often.
  const values: Record<string, unknown> = { ...unset };
  for (let i = 0; i < entries.length; i += 1) {
    const [name, field] = entries[i]!;
    values[name] = field.get(bytes, start);
  }
  return values as Values<F>;
}

/** The values of records that stand behind one another from `start` on, as many as there are whole ones. */
export function decodeAll<F extends Fields>(layout: Layout<F>, bytes: Uint8Array, start = 0): Values<F>[] {
  const count = Math.floor((bytes.length - start) / layout.length);
  return Array.from({ length: Math.max(0, count) }, (_, i) => decode(layout, bytes, start + i * layout.length));
}

/** Writes the fields that `values` names, and touches no other bit. */
export function encodeInto<F extends Fields>(
  { fields }: Pick<Layout<F>, 'fields'>,
  bytes: Uint8Array,
  start: number,
  values: Partial<Values<NoInfer<F>>>,
): void {
  for (const name in values) fields[name]!.set(bytes, start, values[name]);
}

/** A record with what stands behind it. What `values` does not name is 0, but lengths that are `counting`. */
export function encode<F extends Fields>(
  layout: Layout<F>,
  values: Partial<Values<NoInfer<F>>>,
  ...behind: readonly Uint8Array[]
): Buffer {
  const bytes =
    behind.length === 0 ? Buffer.alloc(layout.length) : Buffer.concat([new Uint8Array(layout.length), ...behind]);
  for (const [, field] of layout.entries)
    if (field.counts !== undefined) field.set(bytes, 0, bytes.length - field.counts);
  encodeInto(layout, bytes, 0, values);
  return bytes;
}
