import type { Random } from "./random.js";

/** Values that are none of the things that any argument wants. */
export const junk: readonly unknown[] = [
  null,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  -1,
  0.5,
  2 ** 31,
  2 ** 53,
  7n,
  "",
  "query",
  "⁂",
  Symbol("tensor"),
  () => 1,
  [],
  [[]],
  [null],
  ["a"],
  {},
  Object.create(null),
  { length: 2 ** 31 },
  { data: null },
  { backend: "js" },
  { shape: [1, 1, 1, 1], dtype: "float32" },
  new Map(),
  new Date(0),
  new ArrayBuffer(8),
  new DataView(new ArrayBuffer(8)),
  new BigInt64Array(1),
  Promise.resolve(1),
  /x/,
];

export function pick<T>(random: Random, list: readonly T[]): T {
  return list[Math.floor(random.uniform() * list.length)] as T;
}

/** Numbers that are no size, stride, offset or length. */
export function wrongInteger(random: Random): unknown {
  return pick(random, [
    -1,
    -(2 ** 31),
    0.5,
    Number.NaN,
    Number.NEGATIVE_INFINITY,
    Number.POSITIVE_INFINITY,
    2 ** 53,
    "3",
    3n,
    null,
    undefined,
    {},
    Object.create(null),
    Symbol("size"),
  ]);
}
