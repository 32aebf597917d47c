import { type AttentionOutputs, cast, type HostTensor, slice, tensor, toFloat64 } from "@heed/core";
import { differing, outputBits } from "../../../calls/bits.js";
import { quantised, storeCall } from "../build/stored.js";
import { difference, toleranceOf } from "./compare.js";
import { choose, type Law } from "./law.js";
import { everyFeature, everyFeatureBut } from "./problems.js";
import {
  type Call,
  gather,
  onBatch,
  onKeys,
  onQueries,
  pickKeys,
  withOffsets,
} from "./transform.js";

const converting: Law = {
  name: "float16-storage",
  statement: "Keys and values in float16 give what they give once they are converted.",
  features: everyFeature,
  always: { dtype: "float32" },
  check: async (call, { run }) => {
    const [key, value] = [cast(call.key, "float16"), cast(call.value, "float16")];
    const wide = { ...call, key: cast(key, "float32"), value: cast(value, "float32") };
    return difference(await run({ ...call, key, value }), await run(wide), toleranceOf(wide));
  },
};

const dequantising: Law = {
  name: "int8-storage",
  statement: "Keys and values in int8 give what element times scale gives.",
  features: everyFeature,
  check: async (call, { run }) => {
    const key = quantised(call.key);
    const value = quantised(call.value);
    const wide = (
      { data, scales }: { readonly data: HostTensor; readonly scales: HostTensor },
      { dtype, shape }: HostTensor,
    ): HostTensor => {
      const factors = toFloat64(scales);
      const size = shape[3] as number;
      const exact = toFloat64(data).map((x, at) => x * (factors[Math.floor(at / size)] as number));
      return cast(tensor(exact, shape), dtype);
    };
    const stored = {
      ...call,
      key: key.data,
      value: value.data,
      keyScales: key.scales,
      valueScales: value.scales,
    };
    const plain = { ...call, key: wide(key, call.key), value: wide(value, call.value) };
    return difference(await run(stored), await run(plain), toleranceOf(plain));
  },
};

const paging: Law = {
  name: "pages-in-any-order",
  statement: "Where pages lie changes not one bit, and pages give what keys in one piece give.",
  features: everyFeature,
  check: async (original, { run, random }) => {
    const call = withLengths(original);
    const keys = call.key.shape[2] as number;
    const sizes = Array.from({ length: keys }, (_, i) => i + 1).filter((n) => keys % n === 0);
    const size = sizes[choose(random, sizes.length - 1)] as number;
    const inPages = (): Call => storeCall(call, { queryLength: 1, pages: { size } }, random);
    const one = await run(inPages());
    const names = differing(outputBits(one), outputBits(await run(inPages())));
    if (names.length > 0) return `with other pages of ${size}, ${names.join(" and ")} changes`;
    const broken = difference(one, await run(call), toleranceOf(call));
    return broken && `in pages of ${size}: ${broken}`;
  },
};

const ragged: Law = {
  name: "ragged-equals-sequences",
  statement: "A ragged batch gives what its sequences give one by one.",
  features: everyFeatureBut("mask", "bias", "kvLengths"),
  check: async (original, { run, random }) => {
    const call = withOffsets(original);
    const [batch, , most] = call.query.shape as [number, number, number];
    const keysOf = call.key.shape[2] as number;
    const draw = (upTo: number) => Array.from({ length: batch }, () => choose(random, upTo));
    const [queries, keys] = [draw(most), draw(keysOf)];
    const whole = storeCall(call, { queryLength: most, ragged: { queries, keys } }, random);
    const got = await run(whole);
    let start = 0;
    for (const [s, count] of queries.entries()) {
      const own = onKeys(onQueries(onBatch(call, s), 0, count), 0, keys[s] as number);
      const part = rowsOf(got, start, start + count);
      const broken = difference(part, await run(own), toleranceOf(own));
      if (broken) return `sequence ${s} of queries ${queries} and keys ${keys}: ${broken}`;
      start += count;
    }
    return null;
  },
};

const permuting: Law = {
  name: "positions-permuted-with-keys",
  statement: "Keys in another order, with their positions, give the same result.",
  features: everyFeatureBut("kvLengths"),
  check: async (original, { run, random }) => {
    const call = withPositions(original);
    const { keyPositions } = call;
    const count = call.key.shape[2] as number;
    const order = Array.from({ length: count }, (_, j) => ({ j, by: random.uniform() }))
      .sort((a, b) => a.by - b.by)
      .map(({ j }) => j);
    const permuted = {
      ...pickKeys(call, order),
      keyPositions: gather(keyPositions as HostTensor, 1, order),
    };
    const want = await run(original);
    return (
      difference(await run(call), want, toleranceOf(original)) ??
      difference(await run(permuted), want, toleranceOf(original))
    );
  },
};

export const servingLaws: readonly Law[] = [converting, dequantising, paging, ragged, permuting];

/** The call with lengths, which pages need; offsets stay what they were. */
function withLengths(original: Call): Call {
  const call = withOffsets(original);
  const [batch, , keys] = call.key.shape as [number, number, number];
  return { ...call, kvLengths: call.kvLengths ?? new Int32Array(batch).fill(keys) };
}

/** The call with the positions that indices and offsets say, as data. */
function withPositions(original: Call): Call {
  const { queryOffset, ...call } = withOffsets(original);
  const [batch, , queries] = call.query.shape as [number, number, number];
  const keys = call.key.shape[2] as number;
  const offsets = typeof queryOffset === "object" ? queryOffset : new Int32Array(batch);
  const table = (columns: number, first: (b: number) => number): HostTensor =>
    tensor(
      Int32Array.from(
        { length: batch * columns },
        (_, at) => first(Math.floor(at / columns)) + (at % columns),
      ),
      [batch, columns],
    );
  return {
    ...call,
    queryPositions: table(queries, (b) => offsets[b] as number),
    keyPositions: table(keys, () => 0),
  };
}

/** Rows of an output and its log-sum-exp. */
function rowsOf(
  { output, logSumExp }: AttentionOutputs<HostTensor>,
  from: number,
  to: number,
): AttentionOutputs<HostTensor> {
  return {
    output: slice(output, 2, from, to),
    ...(logSumExp && { logSumExp: slice(logSumExp, 2, from, to) }),
  };
}
