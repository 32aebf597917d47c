import { broadcastTo, fromFloat64, type HostTensor, keyHeadOf, toFloat64, zeros } from "@heed/core";
import { difference, toleranceOf } from "./compare.js";
import { choose, type Law } from "./law.js";
import { everyFeature, everyFeatureBut } from "./problems.js";
import { type Call, gather, headsOf, mapTensor, withOffsets } from "./transform.js";

const lowest = -3.4028234663852886e38;

/** The call with its mask said as a bias: what is hidden gets `low`, in float32. */
function maskAsBias(call: Call, low: number): Call {
  const { mask } = call;
  if (mask === undefined) return call;
  const [batch, heads, queries] = call.query.shape as [number, number, number];
  const full = [batch, heads, queries, call.key.shape[2] as number];
  const shown = toFloat64(broadcastTo(mask, full));
  const bias = call.bias ? toFloat64(broadcastTo(call.bias, full)) : null;
  const values = shown.map((visible, at) => (visible ? (bias?.[at] ?? 0) : low));
  return { ...call, mask: undefined, bias: fromFloat64(values, full, "float32") };
}

/** The call with `count` more keys before the others, hidden by a mask; positions move along. */
function withKeysBefore(original: Call, count: number): Call {
  const call = withOffsets(original);
  const length = call.key.shape[2] as number;
  const order = [...new Array<number>(count).fill(0), ...Array.from({ length }, (_, j) => j)];
  const widened = (t: HostTensor | undefined): HostTensor | undefined =>
    t && t.shape.at(-1) === length && length !== 1 ? gather(t, t.shape.length - 1, order) : t;
  const mask = widened(call.mask);
  const [batch, heads, queries] = call.query.shape as [number, number, number];
  const full = [batch, heads, queries, count + length];
  const shown = mask ? toFloat64(broadcastTo(mask, full)) : null;
  const { queryOffset, kvLengths } = call;
  const moved = (list: ArrayLike<number>): Int32Array => Int32Array.from(list, (x) => x + count);
  return {
    ...call,
    key: gather(call.key, 2, order),
    value: gather(call.value, 2, order),
    mask: fromFloat64(
      Float64Array.from({ length: batch * heads * queries * (count + length) }, (_, at) =>
        at % (count + length) < count ? 0 : (shown?.[at] ?? 1),
      ),
      full,
      "bool",
    ),
    bias: widened(call.bias),
    queryOffset: typeof queryOffset === "object" ? moved(queryOffset) : queryOffset,
    kvLengths: kvLengths && moved(kvLengths),
  };
}

export const valueLaws: readonly Law[] = [
  {
    name: "scaled-values",
    statement: "Values times a power of two give outputs times it.",
    features: everyFeature,
    check: async (call, { run, random }) => {
      const factor = 2 ** (choose(random, 6) - 3);
      const scaled = { ...call, value: mapTensor(call.value, (x) => x * factor) };
      return difference(await run(scaled), await run(call), toleranceOf(scaled), {
        output: (x) => x * factor,
      });
    },
  },
  {
    name: "scale-in-the-query",
    statement: "The scale can be divided by a power of two that the query is multiplied by.",
    features: everyFeature,
    check: async (call, { run, random }) => {
      const factor = 2 ** (choose(random, 4) - 2);
      const scale = call.scale ?? 1 / Math.sqrt(call.query.shape[3] as number);
      const query = mapTensor(call.query, (x) => x * factor);
      const moved = { ...call, query, scale: scale / factor };
      return difference(await run(moved), await run(call), toleranceOf(call));
    },
  },
  {
    name: "constant-logits",
    statement:
      "A constant added to all logits leaves the output as it is, and adds to the log-sum-exp.",
    features: everyFeatureBut("sinks"),
    check: async (call, { run, random }) => {
      const constant = 2 ** choose(random, 4) * (random.uniform() < 0.5 ? -1 : 1);
      const bias = call.bias ?? zeros("float32", [1]);
      const shifted = {
        ...call,
        bias: fromFloat64(
          toFloat64(bias).map((x) => x + constant),
          bias.shape,
          "float32",
        ),
      };
      const broken = difference(await run(shifted), await run(call), toleranceOf(shifted), {
        logSumExp: (lse) => lse + constant,
      });
      return broken && `${constant} added: ${broken}`;
    },
  },
  {
    name: "mask-as-bias",
    statement:
      "A mask hides what −∞ as a bias hides; so does the lowest float32, where anything else is seen.",
    features: everyFeature,
    always: { mask: { shape: [1] } },
    check: async (call, { run }) => {
      const masked = await run(call);
      const tolerance = toleranceOf(call);
      const infinite = maskAsBias(call, Number.NEGATIVE_INFINITY);
      const broken = difference(await run(infinite), masked, tolerance);
      if (broken) return `−∞: ${broken}`;
      const finite = maskAsBias(call, lowest);
      const skip = (row: number): boolean => !tolerance.sees(row);
      const brokenToo = difference(await run(finite), masked, tolerance, { skip });
      return brokenToo && `the lowest float32: ${brokenToo}`;
    },
  },
  {
    name: "query-offset-shifts-keys",
    statement: "Masked keys in front, and offsets and lengths larger by as many, change nothing.",
    features: everyFeature,
    check: async (call, { run, random }) => {
      const count = 1 + choose(random, 20);
      const broken = difference(
        await run(withKeysBefore(call, count)),
        await run(call),
        toleranceOf(call),
      );
      return broken && `${count} keys in front: ${broken}`;
    },
  },
  {
    name: "weights-give-output",
    statement: "Weights are at least 0, sum to at most 1, and their sum of values is the output.",
    features: everyFeature,
    always: { returns: { weights: true } },
    check: async (call, { run, arithmetic }) => {
      const outputs = await run(call);
      const weights = toFloat64(outputs.weights as HostTensor);
      const values = toFloat64(call.value);
      const [batch, kvHeads, keys, size] = call.value.shape as [number, number, number, number];
      const [, heads, queries] = call.query.shape as [number, number, number];
      const tolerance = toleranceOf(call);
      const rounding = keys * arithmetic.tiny[call.query.dtype as "float32"];
      const sums = new Float64Array(batch * heads * queries * size);
      for (let row = 0; row < batch * heads * queries; row++) {
        const b = Math.floor(row / (heads * queries));
        const g = keyHeadOf(headsOf(call), Math.floor(row / queries) % heads);
        let total = 0;
        for (let j = 0; j < keys; j++) {
          const weight = weights[row * keys + j] as number;
          if (!(weight >= 0)) return `row ${row}, key ${j} has weight ${weight}`;
          total += weight;
          const at = ((b * kvHeads + g) * keys + j) * size;
          for (let c = 0; c < size && weight > 0; c++) {
            (sums[row * size + c] as number) += weight * (values[at + c] as number);
          }
        }
        const off =
          call.sinks === undefined && tolerance.sees(row) ? Math.abs(total - 1) : total - 1;
        if (off > tolerance.weight(row) + keys * 2 ** -24 + rounding) {
          return `row ${row}: the weights sum to ${total}`;
        }
      }
      const summed = { output: fromFloat64(sums, outputs.output.shape, "float64") };
      return difference(outputs, summed, {
        ...tolerance,
        output: (row) => 2 * tolerance.output(row) + 4 * rounding,
      });
    },
  },
];
