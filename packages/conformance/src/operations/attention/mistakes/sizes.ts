import { elementCount, fromFloat64, type HostTensor, rowMajorStrides, toFloat64 } from "@heed/core";
import { type Call, callMistake, type Mistake } from "./mistake.js";

type Name = "query" | "key" | "value" | "mask" | "bias";

/** Sizes of a call. */
interface Sizes {
  readonly queryHeads: number;
  readonly kvHeads: number;
  readonly queryLength: number;
  readonly keyLength: number;
  readonly headDim: number;
  readonly valueDim: number;
}

function sizesOf({ query, key, value }: Call): Sizes {
  const [, queryHeads, queryLength, headDim] = query.shape as [number, number, number, number];
  const [, kvHeads, keyLength] = key.shape as [number, number, number];
  return {
    queryHeads,
    kvHeads,
    queryLength,
    keyLength,
    headDim,
    valueDim: value.shape[3] as number,
  };
}

/** A tensor's sizes, and the one of another tensor that takes the place of one, in words. */
const confusions: readonly (readonly [
  names: readonly Name[],
  axis: number,
  wrong: keyof Sizes,
  words: string,
])[] = [
  [["value"], 3, "headDim", "values lie as far apart as keys: by headDim instead of valueDim"],
  [["key"], 3, "valueDim", "keys lie as far apart as values: by valueDim instead of headDim"],
  // Both together first: one alone may give the same NaN.
  ...confusionsOfKeys(["key", "value"], "key and value"),
  ...(["key", "value"] as const).flatMap((name) => confusionsOfKeys([name], name)),
  [
    ["query"],
    2,
    "keyLength",
    "heads of query lie as far apart as keyLength, not queryLength, rows",
  ],
  [["query"], 1, "kvHeads", "batches of query lie as far apart as kvHeads, not queryHeads, heads"],
  ...(["mask", "bias"] as const).flatMap((name) => [
    [
      [name],
      3,
      "queryLength",
      `rows of ${name} lie as far apart as queryLength, not keyLength, elements`,
    ] as const,
    [
      [name],
      2,
      "keyLength",
      `heads of ${name} lie as far apart as keyLength, not queryLength, rows`,
    ] as const,
    [
      [name],
      1,
      "kvHeads",
      `batches of ${name} lie as far apart as kvHeads, not queryHeads, heads`,
    ] as const,
  ]),
];

function confusionsOfKeys(names: readonly Name[], words: string): (typeof confusions)[number][] {
  return [
    [
      names,
      2,
      "queryLength",
      `heads of ${words} lie as far apart as queryLength, not keyLength, rows`,
    ],
    [
      names,
      1,
      "queryHeads",
      `batches of ${words} lie as far apart as queryHeads, not kvHeads, heads`,
    ],
  ];
}

/** Values that reads past the end of an array may give; they depend on language and device. */
const pastTheEnd = [
  ["bias", Number.NaN, "is NaN"],
  ["bias", 0, "is 0"],
  ["mask", 0, "hides"],
  ["mask", 1, "shows"],
] as const;

/** Strides that were worked out from another tensor's size. */
export const wrongSizes: readonly Mistake[] = [
  ...confusions.map(([names, axis, wrong, name]) =>
    callMistake(name, (call) => {
      const size = sizesOf(call)[wrong];
      const changed = names.map((own) => [own, reread(call[own], axis, size)] as const);
      if (changed.some(([, t]) => t === null)) return null;
      // A value that is NaN makes of its row what it is, whatever its key is.
      const kept = changed.filter(
        ([own, t]) =>
          own !== "key" || names.length === 1 || !toFloat64(t as HostTensor).some(Number.isNaN),
      );
      return { ...call, ...Object.fromEntries(kept) };
    }),
  ),
  ...pastTheEnd.map(([own, past, words]) =>
    callMistake(
      own === "bias" && past === 0
        ? "a broadcast bias is read as if it were full"
        : `${own} is read as if nothing of it were broadcast, and ${words} past its end`,
      (call) => {
        const t = call[own];
        const full = [...call.query.shape.slice(0, 3), call.key.shape[2] as number];
        const count = elementCount(full);
        if (t === undefined || elementCount(t.shape) === count) return null;
        const size = Math.min(count, t.data.length - t.offset);
        const told = toFloat64({ ...t, shape: [size], strides: [1] });
        const values = Float64Array.from({ length: count }, (_, at) => told[at] ?? past);
        return { ...call, [own]: fromFloat64(values, full, t.dtype) };
      },
      own === "bias" && past === 0
        ? {
            sentence: "bias is read as if nothing of it were broadcast, and is 0 past its end",
            mutant: "masks",
            published: "onnxruntime#26766",
          }
        : {},
    ),
  ),
];
/** A tensor read with strides that take `size` for its own size of an axis; `null`: no difference. */
function reread(t: HostTensor | undefined, axis: number, size: number): HostTensor | null {
  if (t === undefined) return null;
  const from = 4 - t.shape.length;
  if (axis <= from || t.shape[axis - from] === size) return null;
  const sizes = t.shape.map((own, at) => (at === axis - from ? size : own));
  return elementsAt(t, rowMajorStrides(sizes));
}

/**
 * Elements at other strides. Past its array's end a number is NaN, as in JavaScript; `null` for a mask
 * that ends, and where all that is read is past the end.
 */
function elementsAt(t: HostTensor, strides: readonly number[]): HostTensor | null {
  const stored = toFloat64({ ...t, shape: [t.data.length - t.offset], strides: [1] });
  const made = new Float64Array(elementCount(t.shape));
  const index = t.shape.map(() => 0);
  let past = 0;
  for (let at = 0; at < made.length; at++) {
    const from = index.reduce((sum, i, axis) => sum + i * (strides[axis] as number), 0);
    if (from >= stored.length) past += 1;
    made[at] = stored[from] ?? Number.NaN;
    for (let axis = index.length - 1; axis >= 0; axis--) {
      index[axis] = ((index[axis] as number) + 1) % (t.shape[axis] as number);
      if (index[axis] !== 0) break;
    }
  }
  if (past === made.length || (past > 0 && t.dtype === "bool")) return null;
  return fromFloat64(made, t.shape, t.dtype);
}
