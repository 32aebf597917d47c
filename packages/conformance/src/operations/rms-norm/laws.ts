import { fromFloat64, type HostTensor, slice, toFloat64 } from "@heed/core";
import { bitsOf, sameBits } from "../../calls/bits.js";
import type { Random } from "../../calls/random.js";
import type { OperationCase } from "../../run/case.js";
import { lawCases, type OperationLaw } from "../../run/operation-laws.js";
import { buildRmsNorm, type RmsNormCall } from "./build.js";
import { judgedRmsNorm, type Normalised } from "./judge.js";
import type { RmsNormSpec } from "./spec.js";

const integer = (random: Random, from: number, to: number): number =>
  from + Math.floor(random.uniform() * (to - from + 1));

/** A tensor with every element changed. */
const mapped = (t: HostTensor, change: (x: number, at: number) => number): HostTensor =>
  fromFloat64(toFloat64(t).map(change), t.shape, t.dtype);

const laws: readonly OperationLaw<RmsNormSpec, RmsNormCall, Normalised>[] = [
  {
    name: "powers-of-two",
    statement: "A weight that is doubled doubles the output, to the bit.",
    check: async ({ run, build }) => {
      const call = build({});
      const one = toFloat64((await run(call)).output);
      const twice = { ...call, weight: mapped(call.weight, (x) => 2 * x) };
      const other = toFloat64((await run(twice)).output);
      // Subnormal numbers of float16 are not halved exactly.
      const wrong = one.findIndex((x, at) => Math.abs(x) > 1e-3 && other[at] !== 2 * x);
      return wrong < 0 ? null : `${one[wrong]} becomes ${other[wrong]}`;
    },
  },
  {
    name: "vectors-alone",
    statement: "A vector's output follows from it alone: others may hold anything.",
    check: async ({ run, build, random }) => {
      const call = build({
        shape: [integer(random, 2, 6), integer(random, 1, 40)],
        layout: "plain",
      });
      const [rows, size] = call.input.shape as [number, number];
      const cut = integer(random, 1, rows - 1);
      const input = mapped(call.input, (x, at) => (at < cut * size ? x : 3));
      const kept = (t: HostTensor): Uint8Array => bitsOf(slice(t, 0, 0, cut));
      const one = kept((await run(call)).output);
      const other = kept((await run({ ...call, input })).output);
      return sameBits(one, other) ? null : `the first ${cut} vectors have other bits`;
    },
  },
  {
    name: "signs",
    statement: "Signs of the input are those of the output, and change nothing else, to the bit.",
    check: async ({ run, build, random }) => {
      const call = build({ layout: "plain" });
      const signs = toFloat64(call.input).map(() => (random.uniform() < 0.5 ? -1 : 1));
      const input = mapped(call.input, (x, at) => x * (signs[at] as number));
      const one = toFloat64((await run(call)).output);
      const other = toFloat64((await run({ ...call, input })).output);
      const wrong = one.findIndex((x, at) => x * (signs[at] as number) !== other[at]);
      return wrong < 0 ? null : `${one[wrong]} becomes ${other[wrong]}`;
    },
  },
];

function draw(random: Random): RmsNormSpec {
  const pick = <T>(list: readonly T[]): T => list[integer(random, 0, list.length - 1)] as T;
  const outer = [integer(random, 1, 3), integer(random, 1, 3), integer(random, 1, 5)];
  return {
    shape: [...outer.slice(0, integer(random, 0, 3)), integer(random, 1, 70)],
    dtype: pick(["float32", "float32", "float16"] as const),
    epsilon: pick([1e-6, 1e-5, 0.5]),
    layout: pick(["plain", "gaps", "swapped"] as const),
    weight: pick(["whole", "part"] as const),
  };
}

/** Laws of root mean square normalisation, each tried on random calls. */
export const rmsNormLaws: readonly OperationCase[] = lawCases({
  of: judgedRmsNorm,
  laws,
  draw,
  build: buildRmsNorm,
  plain: { shape: [2, 8] },
});
