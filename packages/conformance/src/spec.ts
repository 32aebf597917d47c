import {
  type AttentionInputs,
  type AttentionReturns,
  type AttentionWindow,
  cast,
  contiguous,
  elementCount,
  type FloatDType,
  fromFloat64,
  type HostTensor,
  slice,
  splitHeads,
  tensor,
  toFloat64,
  transpose,
} from "@heed/core";
import { Random } from "./random.js";

/** How query, key and value lie in memory; all are views of `[batch, heads, length, size]`. */
export type Layout =
  /** Row-major `[batch, heads, length, size]`. */
  | "bhld"
  /** `[batch, length, heads, size]`. */
  | "blhd"
  /** `[batch, heads, size, length]`: elements of a row are far apart. */
  | "bhdl"
  /** Slices of one `[batch, length, (queryHeads + 2·kvHeads)·size]`; lengths must be equal. */
  | "packed"
  /** In the middle of a larger buffer. */
  | "offset";

/** What is special about a call's numbers. */
export type Values =
  /** Standard normal. */
  | "normal"
  /** Scores of about ±10⁴: softmax is one-hot, and exp overflows without the maximum. */
  | "large-scores"
  /** Equal keys: every weight is the same. */
  | "equal-keys"
  /** The last key wins every row. */
  | "last-key-wins"
  /** Values of about 10⁻⁴⁰ (10⁻⁷ in float16): subnormal. */
  | "subnormal-values";

/** What keys and values hold where no query may look. */
export type Poison = "NaN" | "infinity" | "large";

/** A synthetic call as data. What is left out is as in the smallest useful call. */
export interface CaseSpec {
  /** Default 1. */
  readonly batch?: number;
  /** Default 2. */
  readonly queryHeads?: number;
  /** Default queryHeads. */
  readonly kvHeads?: number;
  readonly queryLength: number;
  /** Default queryLength. */
  readonly keyLength?: number;
  /** Default 16. */
  readonly headDim?: number;
  /** Default headDim. */
  readonly valueDim?: number;
  /** Default float32. */
  readonly dtype?: FloatDType;
  /** Default bhld. */
  readonly layout?: Layout;
  /** Default normal. */
  readonly values?: Values;
  /** One tensor serves as key and value. */
  readonly sharedKeyValue?: boolean;
  readonly causal?: boolean;
  readonly window?: AttentionWindow;
  readonly queryOffset?: number | "bottom-right" | readonly number[];
  readonly kvLengths?: readonly number[];
  /** Fills keys and values that no row can see by kvLengths, causal or window. */
  readonly poison?: Poison;
  /** A mask of this shape, two thirds true; "empty-rows": every third row hides all keys. */
  readonly mask?: { readonly shape: readonly number[]; readonly rows?: "empty-rows" };
  /** A bias of this shape; "-inf": a third of it hides; "finfo-min": a third is the lowest value. */
  readonly bias?: {
    readonly shape: readonly number[];
    readonly dtype?: FloatDType;
    readonly holes?: "-inf" | "finfo-min" | "-inf-rows";
  };
  /** Mask and bias are read through transposed strides. */
  readonly stridedMask?: boolean;
  readonly alibi?: boolean;
  /** True: one normal value a head; or the values. */
  readonly sinks?: true | readonly number[];
  readonly scale?: number;
  readonly softcap?: number;
  readonly returns?: AttentionReturns;
}

/**
 * The call that a spec describes.
 *
 * @param seed the case's id: the same one always gives the same numbers
 */
export function buildInputs(spec: CaseSpec, seed: string): AttentionInputs<HostTensor> {
  const random = new Random(seed);
  const dtype = spec.dtype ?? "float32";
  const { query, key, value } = buildTensors(spec, dtype, random);
  const queryHeads = query.shape[1] as number;
  const inputs: AttentionInputs<HostTensor> = {
    query,
    key,
    value,
    mask: spec.mask && strided(buildMask(spec.mask, random), spec.stridedMask),
    bias: spec.bias && strided(buildBias(spec.bias, dtype, random), spec.stridedMask),
    causal: spec.causal,
    window: spec.window,
    queryOffset: typeof spec.queryOffset === "object" ? [...spec.queryOffset] : spec.queryOffset,
    kvLengths: spec.kvLengths && Int32Array.from(spec.kvLengths),
    alibiSlopes: spec.alibi ? alibiSlopes(queryHeads) : undefined,
    sinks:
      spec.sinks === true
        ? Float32Array.from(random.normals(queryHeads))
        : spec.sinks && [...spec.sinks],
    scale: spec.scale,
    softcap: spec.softcap,
    returns: spec.returns,
  };
  return spec.poison ? poisonHidden(inputs, spec) : inputs;
}

/** 2^(−8(h+1)/heads), as in the paper (arXiv:2108.12409). */
function alibiSlopes(heads: number): Float32Array {
  return Float32Array.from({ length: heads }, (_, h) => 2 ** ((-8 * (h + 1)) / heads));
}

function buildTensors(
  spec: CaseSpec,
  dtype: FloatDType,
  random: Random,
): { query: HostTensor; key: HostTensor; value: HostTensor } {
  const { batch = 1, queryHeads = 2, queryLength, headDim = 16 } = spec;
  const { kvHeads = queryHeads, keyLength = queryLength, valueDim = headDim } = spec;
  if (spec.layout === "packed") {
    const width = (queryHeads + 2 * kvHeads) * headDim;
    const packed = random.tensor([batch, queryLength, width], dtype);
    const part = (from: number, heads: number): HostTensor =>
      splitHeads(slice(packed, 2, from * headDim, (from + heads) * headDim), heads);
    return {
      query: part(0, queryHeads),
      key: part(queryHeads, kvHeads),
      value: part(queryHeads + kvHeads, kvHeads),
    };
  }
  const lay = (t: HostTensor): HostTensor => layOut(t, spec.layout ?? "bhld");
  const query = random.tensor([batch, queryHeads, queryLength, headDim], dtype);
  const key = random.tensor([batch, kvHeads, keyLength, headDim], dtype);
  const value = random.tensor([batch, kvHeads, keyLength, valueDim], dtype);
  shapeValues(spec.values ?? "normal", dtype, query, key, value);
  const laidKey = lay(key);
  return { query: lay(query), key: laidKey, value: spec.sharedKeyValue ? laidKey : lay(value) };
}

/** Writes a spec's special numbers over freshly made row-major tensors. */
function shapeValues(
  values: Values,
  dtype: FloatDType,
  query: HostTensor,
  key: HostTensor,
  value: HostTensor,
): void {
  const change = (t: HostTensor, f: (x: number, i: number) => number): void => {
    const changed = fromFloat64(toFloat64(t).map(f), t.shape, dtype);
    t.data.set(changed.data as never);
  };
  const size = key.shape[3] as number;
  const perHead = (key.shape[2] as number) * size;
  if (values === "large-scores") change(query, (x) => x * 1e4);
  if (values === "equal-keys") {
    const keys = toFloat64(key);
    change(key, (_, i) => keys[Math.floor(i / perHead) * perHead + (i % size)] as number);
  }
  if (values === "last-key-wins") {
    change(query, (x) => Math.abs(x) + 1);
    change(key, (x, i) => (i % perHead >= perHead - size ? 8 : -Math.abs(x)));
  }
  if (values === "subnormal-values") {
    const unit = { float64: 1e-310, float32: 1e-40, float16: 1e-7 }[dtype];
    change(value, (x) => x * unit);
  }
}

function layOut(t: HostTensor, layout: Layout): HostTensor {
  switch (layout) {
    case "blhd":
      return transpose(contiguous(transpose(t, [0, 2, 1, 3])), [0, 2, 1, 3]);
    case "bhdl":
      return transpose(contiguous(transpose(t, [0, 1, 3, 2])), [0, 1, 3, 2]);
    case "offset": {
      // A buffer with 5 elements before and 3 after, and gaps of 2 between rows.
      const [b, h, l, d] = t.shape as [number, number, number, number];
      const row = d + 2;
      const strides = [h * l * row, l * row, row, 1];
      const length = 5 + b * h * l * row + 3;
      const wide = fromFloat64(new Float64Array(length).fill(Number.NaN), [length], t.dtype);
      const view = tensor(wide.data, t.shape, { dtype: t.dtype, strides, offset: 5 });
      let at = 0;
      const from = t.data;
      for (let r = 0; r < b * h * l; r++) {
        for (let c = 0; c < d; c++) view.data[5 + r * row + c] = from[at++] as number;
      }
      return view;
    }
    default:
      return t;
  }
}

function buildMask({ shape, rows }: NonNullable<CaseSpec["mask"]>, random: Random): HostTensor {
  const mask = random.mask(shape, 2 / 3);
  if (rows === "empty-rows") {
    const keys = shape.at(-1) as number;
    for (let at = 0; at < mask.data.length; at++) {
      if (Math.floor(at / keys) % 3 === 1) mask.data[at] = 0;
    }
  }
  return mask;
}

function buildBias(
  { shape, dtype: own, holes }: NonNullable<CaseSpec["bias"]>,
  dtype: FloatDType,
  random: Random,
): HostTensor {
  const values = random.normals(elementCount(shape));
  const lowest = { float64: -Number.MAX_VALUE, float32: -3.4028234663852886e38, float16: -65504 };
  const keys = shape.at(-1) as number;
  for (let at = 0; at < values.length; at++) {
    if (holes === "-inf" && random.uniform() < 1 / 3) values[at] = Number.NEGATIVE_INFINITY;
    if (holes === "finfo-min" && random.uniform() < 1 / 3) values[at] = lowest[own ?? dtype];
    if (holes === "-inf-rows" && Math.floor(at / keys) % 3 === 1) {
      values[at] = Number.NEGATIVE_INFINITY;
    }
  }
  return fromFloat64(values, shape, own ?? dtype);
}

/** The same values through strides that are not row-major. */
function strided(t: HostTensor, wanted: boolean | undefined): HostTensor {
  if (!wanted || t.shape.length < 2) return t;
  const axes = t.shape.map((_, axis) => axis).reverse();
  return transpose(contiguous(transpose(t, axes)), axes);
}

/** Overwrites keys and values that kvLengths, causal or window hide from every row of a batch. */
function poisonHidden(
  inputs: AttentionInputs<HostTensor>,
  spec: CaseSpec,
): AttentionInputs<HostTensor> {
  const { query, key, value } = inputs;
  const queryLength = query.shape[2] as number;
  const keyLength = key.shape[2] as number;
  const left = spec.window?.left ?? Number.POSITIVE_INFINITY;
  const right = spec.causal ? 0 : (spec.window?.right ?? Number.POSITIVE_INFINITY);
  const hidden = (b: number, j: number): boolean => {
    const length = spec.kvLengths?.[b] ?? keyLength;
    const { queryOffset = 0 } = spec;
    const offset =
      queryOffset === "bottom-right"
        ? length - queryLength
        : typeof queryOffset === "number"
          ? queryOffset
          : (queryOffset[b] as number);
    const [first, last] = [offset, offset + queryLength - 1];
    return j >= length || j < first - left || j > last + right;
  };
  const bad = { NaN: Number.NaN, infinity: Number.POSITIVE_INFINITY, large: 1e30 };
  const spoil = (t: HostTensor): HostTensor => {
    const [, heads, length, size] = t.shape as [number, number, number, number];
    const values = toFloat64(t).map((x, at) => {
      const j = Math.floor(at / size) % length;
      const b = Math.floor(at / (heads * length * size));
      return hidden(b, j) ? bad[spec.poison as Poison] : x;
    });
    return cast(fromFloat64(values, t.shape, "float64"), t.dtype);
  };
  return { ...inputs, key: spoil(key), value: spoil(value) };
}
