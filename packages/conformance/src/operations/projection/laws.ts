import { fromFloat64, type HostTensor, slice, toFloat64 } from "@heed/core";
import { bitsOf, sameBits } from "../../calls/bits.js";
import type { Random } from "../../calls/random.js";
import type { OperationCase } from "../../run/case.js";
import { lawCases, type OperationLaw } from "../../run/operation-laws.js";
import { buildProjection, type ProjectionCall } from "./build.js";
import { judgedProjection, type Projected } from "./judge.js";
import type { ProjectionSpec } from "./spec.js";

const integer = (random: Random, from: number, to: number): number =>
  from + Math.floor(random.uniform() * (to - from + 1));

const laws: readonly OperationLaw<ProjectionSpec, ProjectionCall, Projected>[] = [
  {
    name: "identity",
    statement: "The identity matrix leaves every row as it is, to the bit.",
    check: async ({ run, build }) => {
      const { input } = build({ bias: false });
      const size = input.shape[2] as number;
      const ones = Float64Array.from({ length: size * size }, (_, at) =>
        at % (size + 1) === 0 ? 1 : 0,
      );
      const { output } = await run({ input, weight: fromFloat64(ones, [size, size], input.dtype) });
      return sameBits(bitsOf(output), bitsOf(input)) ? null : "rows have other bits";
    },
  },
  {
    name: "powers-of-two",
    statement: "A weight that is doubled, without a bias, doubles the output, to the bit.",
    check: async ({ run, build }) => {
      const { input, weight } = build({ bias: false });
      const twice = fromFloat64(
        toFloat64(weight).map((x) => 2 * x),
        weight.shape,
        weight.dtype,
      );
      const one = toFloat64((await run({ input, weight })).output);
      const other = toFloat64((await run({ input, weight: twice })).output);
      // Subnormal numbers of float16 are not halved exactly.
      const wrong = one.findIndex((x, at) => Math.abs(x) > 1e-3 && other[at] !== 2 * x);
      return wrong < 0 ? null : `${one[wrong]} becomes ${other[wrong]}`;
    },
  },
  {
    name: "outputs-alone",
    statement: "Outputs follow from their own row of the weight: others may hold anything.",
    check: async ({ run, build, random }) => {
      const call = build({ outputSize: integer(random, 2, 9), weight: "plain" });
      const cut = integer(random, 1, (call.weight.shape[0] as number) - 1);
      const values = toFloat64(call.weight).fill(-3, cut * (call.weight.shape[1] as number));
      const weight = fromFloat64(values, call.weight.shape, call.weight.dtype);
      const kept = (t: HostTensor): Uint8Array => bitsOf(slice(t, 2, 0, cut));
      const one = kept((await run(call)).output);
      const other = kept((await run({ ...call, weight })).output);
      return sameBits(one, other) ? null : `the first ${cut} outputs have other bits`;
    },
  },
];

function draw(random: Random): ProjectionSpec {
  const pick = <T>(list: readonly T[]): T => list[integer(random, 0, list.length - 1)] as T;
  return {
    batch: integer(random, 1, 3),
    length: integer(random, 1, 9),
    inputSize: integer(random, 1, 40),
    outputSize: integer(random, 1, 20),
    dtype: pick(["float32", "float32", "float16"] as const),
    bias: random.uniform() < 0.5,
    layout: pick(["plain", "gaps", "swapped"] as const),
    weight: pick(["plain", "transposed", "part"] as const),
  };
}

/** Laws of a projection, each tried on random calls. */
export const projectionLaws: readonly OperationCase[] = lawCases({
  of: judgedProjection,
  laws,
  draw,
  build: buildProjection,
  plain: { length: 2 },
});
