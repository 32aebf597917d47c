import { type HostTensor, statisticsDType, toFloat64 } from "@heed/core";
import { differing, type OutputBits, outputBits } from "../../calls/bits.js";
import type { Random } from "../../calls/random.js";
import type { OperationCase, OperationContext } from "../../run/case.js";
import { lawCases, type OperationLaw } from "../../run/operation-laws.js";
import { overKeys } from "./attention-law.js";
import { buildMerge, type MergeCall } from "./build.js";
import { mergeTolerance } from "./judge.js";
import { judgedMerge, type Merged } from "./judged.js";
import type { MergeSpec } from "./spec.js";

type MergeLaw = OperationLaw<MergeSpec, MergeCall, Merged>;

const bits = (outputs: Merged): OutputBits => outputBits({ ...outputs });

const integer = (random: Random, from: number, to: number): number =>
  from + Math.floor(random.uniform() * (to - from + 1));

function shuffled<T>(list: readonly T[], random: Random): T[] {
  return list
    .map((x) => [random.uniform(), x] as const)
    .sort(([a], [b]) => a - b)
    .map(([, x]) => x);
}

/** A sentence on the first row that differs by more than it may; or `null`. */
function differ(
  one: Merged,
  other: Merged,
  tolerance: ReturnType<typeof mergeTolerance>,
  moved = 0,
): string | null {
  const valueDim = one.output.shape.at(-1) as number;
  for (const name of ["output", "logSumExp"] as const) {
    const [a, b] = [toFloat64(one[name]), toFloat64(other[name])];
    if (a.length !== b.length) return `${name} has ${a.length} and ${b.length} elements`;
    for (const [at, x] of a.entries()) {
      const row = name === "output" ? Math.floor(at / valueDim) : at;
      const y = (b[at] as number) - (name === "logSumExp" ? moved : 0);
      if (x === y) continue;
      const allowed = tolerance.sees(row) ? tolerance[name](row) : 0;
      if (!(Math.abs(x - y) <= allowed)) {
        return `${name}, row ${row}: ${x} and ${y} differ by more than ${allowed.toExponential(1)}`;
      }
    }
  }
  return null;
}

/** A part that has seen no key, in the dtypes of a call's parts, with poison for an output. */
function emptyPart(spec: MergeSpec, context: OperationContext): MergeCall["parts"][number] {
  const { dtype, logSumExpDType } = spec;
  const empty: MergeSpec = {
    ...{ parts: 1, rows: spec.rows, valueDim: spec.valueDim ?? 64, numbers: "all-empty" },
    ...(dtype && { dtype }),
    ...(logSumExpDType && { logSumExpDType }),
  };
  const [part] = buildMerge(empty, "empty", context.arithmetic).parts;
  return part as MergeCall["parts"][number];
}

const laws: readonly MergeLaw[] = [
  {
    name: "order",
    statement: "The order of the parts does not matter beyond rounding.",
    check: async ({ build, random, run }) => {
      const call = build();
      const other = await run({ parts: shuffled(call.parts, random) });
      return differ(await run(call), other, mergeTolerance(call));
    },
  },
  {
    name: "groups",
    statement: "Merging in groups, and then the groups, gives what merging at once gives.",
    check: async ({ build, random, run }) => {
      const call = build();
      const { parts } = call;
      const cuts = [
        0,
        integer(random, 0, parts.length),
        integer(random, 0, parts.length),
        parts.length,
      ];
      cuts.sort((a, b) => a - b);
      const groups: Merged[] = [];
      for (let g = 0; g < 3; g++) {
        const group = parts.slice(cuts[g], cuts[g + 1]);
        if (group.length > 0) groups.push(await run({ parts: group }));
      }
      const wrong = differ(await run({ parts: groups }), await run(call), mergeTolerance(call, 1));
      return wrong && `cut at ${cuts.slice(1, 3).join(" and ")}: ${wrong}`;
    },
  },
  {
    name: "empty-parts",
    statement:
      "A part that has seen no key changes no bit, wherever it stands and whatever it holds.",
    check: async ({ build, spec, random, run, context }) => {
      const call = build();
      const place = integer(random, 0, call.parts.length);
      const empty = emptyPart(spec, context);
      const parts = [...call.parts.slice(0, place), empty, ...call.parts.slice(place)];
      return differing(bits(await run(call)), bits(await run({ parts }))).length === 0
        ? null
        : `an empty part before part ${place} changes bits`;
    },
  },
  {
    name: "one-part",
    statement: "One part alone, and a part beside a copy of itself, keep their output.",
    check: async ({ build, random, run }) => {
      const call = build();
      const part = call.parts[integer(random, 0, call.parts.length - 1)] as (typeof call.parts)[0];
      const one = await run({ parts: [part] });
      const two = { parts: [part, part] };
      const both = await run(two);
      return differ(one, both, mergeTolerance(two), Math.log(2));
    },
  },
  {
    name: "shift",
    statement:
      "What is added to every log-sum-exp is added to the merged one, and to nothing else.",
    check: async ({ build, random, run }) => {
      const call = build();
      const by = integer(random, -9, 9) * 1000;
      const moved = {
        parts: call.parts.map(({ output, logSumExp }) => ({
          output,
          logSumExp: rounded(logSumExp, by),
        })),
      };
      const still = {
        parts: call.parts.map(({ output, logSumExp }) => ({
          output,
          logSumExp: rounded(logSumExp, 0),
        })),
      };
      const wrong = differ(await run(still), await run(moved), mergeTolerance(moved), by);
      return wrong && `moved by ${by}: ${wrong}`;
    },
  },
  {
    name: "attention",
    statement: "Merged attention over disjoint ranges of keys is attention over all of them.",
    check: ({ context, random, run, spec }) =>
      overKeys(context.backend, run, random, spec.dtype ?? "float32"),
  },
];

/** Log-sum-exps as multiples of 1/16, which stay exact when thousands are added; row-major. */
function rounded(t: HostTensor, by: number): HostTensor {
  const data = Float32Array.from(toFloat64(t), (x) => Math.round(x * 16) / 16 + by);
  const strides = t.shape.map((_, axis) => t.shape.slice(axis + 1).reduce((a, b) => a * b, 1));
  const values = t.dtype === "float64" ? Float64Array.from(data) : data;
  return { ...t, data: values, strides, offset: 0 };
}

function draw(random: Random): MergeSpec {
  const pick = <T>(list: readonly T[]): T => list[integer(random, 0, list.length - 1)] as T;
  const dtype = pick(["float32", "float32", "float16", "float64"] as const);
  return {
    parts: integer(random, 1, 9),
    rows: [integer(random, 1, 3), integer(random, 1, 7)],
    valueDim: pick([1, 7, 16, 64]),
    dtype,
    logSumExpDType: statisticsDType(dtype),
    layout: pick(["row-major", "gaps", "stacked"] as const),
    numbers: pick(["near", "some-empty", "some-empty", "far", "1e4"] as const),
  };
}

/** Laws of merging, each tried on random calls. */
export const mergeLaws: readonly OperationCase[] = lawCases({
  of: judgedMerge,
  laws,
  draw,
  build: buildMerge,
  plain: { parts: 2, rows: [2] },
});
