import { fromFloat64, type HostTensor, slice, toFloat64 } from "@heed/core";
import { bitsOf, sameBits } from "../../calls/bits.js";
import type { Random } from "../../calls/random.js";
import { unitRoundoff } from "../../judge/roundoff.js";
import type { OperationCase } from "../../run/case.js";
import { lawCases, type OperationLaw } from "../../run/operation-laws.js";
import { buildRotary, type RotaryCall } from "./build.js";
import { judgedRotary, type Turned } from "./judged.js";
import type { RotarySpec } from "./spec.js";

type RotaryLaw = OperationLaw<RotarySpec, RotaryCall, Turned>;

const integer = (random: Random, from: number, to: number): number =>
  from + Math.floor(random.uniform() * (to - from + 1));

/** An even number of elements of a head. */
const evenUpTo = (random: Random, most: number): number => 2 * integer(random, 1, most / 2);

/** Columns of a tensor `[batch, heads, length, headDim]` in another order. */
function columns(t: HostTensor, order: readonly number[]): HostTensor {
  const size = t.shape[3] as number;
  const values = toFloat64(t);
  const moved = values.map(
    (_, at) => values[at - (at % size) + (order[at % size] as number)] as number,
  );
  return fromFloat64(moved, t.shape, t.dtype);
}

const laws: readonly RotaryLaw[] = [
  {
    name: "differences",
    statement:
      "Dot products of turned vectors depend on the difference of their positions, and lengths stay.",
    check: async ({ run, build, random }) => {
      const call = build({
        batch: 1,
        heads: 1,
        length: 4,
        positions: "none",
        source: "frequencies",
      });
      const [a, b, by] = [integer(random, 0, 40), integer(random, 0, 40), integer(random, 1, 60)];
      // Tokens 2 and 3 hold what 0 and 1 hold, further on.
      const size = call.input.shape[3] as number;
      const values = toFloat64(call.input);
      values.copyWithin(2 * size, 0, 2 * size);
      const input = fromFloat64(values, call.input.shape, call.input.dtype);
      const positions = Int32Array.of(a, b, a + by, b + by);
      const y = toFloat64((await run({ ...call, input, positions })).output);
      const dot = (x: Float64Array, i: number, j: number): number => {
        let sum = 0;
        for (let c = 0; c < size; c++) {
          sum += (x[i * size + c] as number) * (x[j * size + c] as number);
        }
        return sum;
      };
      const square = Math.sqrt(dot(values, 0, 0) * dot(values, 1, 1)) + dot(values, 0, 0);
      const allowed =
        40 * unitRoundoff[call.input.dtype as "float32"] * (square + 1) + 60 * by * 2 ** -24;
      for (const [what, one, other] of [
        ["a dot product", dot(y, 0, 1), dot(y, 2, 3)],
        ["a length", dot(y, 0, 0), dot(values, 0, 0)],
      ] as const) {
        if (!(Math.abs(one - other) <= allowed)) {
          return `positions ${a} and ${b}, moved by ${by}: ${what} is ${one} and ${other}`;
        }
      }
      return null;
    },
  },
  {
    name: "offsets-are-positions",
    statement: "An offset gives what the positions that it stands for give, to the bit.",
    check: async ({ run, build, random }) => {
      const { positions: _p, offset: _o, ...call } = build({ positions: "offset" });
      const [batch, , length] = call.input.shape as [number, number, number];
      const offset = Int32Array.from({ length: batch }, () => integer(random, 0, 20));
      const positions = Int32Array.from(
        { length: batch * length },
        (_, at) => (offset[Math.floor(at / length)] as number) + (at % length),
      );
      const spread = {
        data: positions,
        dtype: "int32" as const,
        shape: [batch, length],
        strides: [length, 1],
        offset: 0,
      };
      const one = await run({ ...call, offset });
      const other = await run({ ...call, positions: spread });
      return sameBits(bitsOf(one.output), bitsOf(other.output))
        ? null
        : `offsets ${offset} give other bits`;
    },
  },
  {
    name: "the-rest-stays",
    statement: "Elements from rotaryDim on stay as they are, to the bit.",
    check: async ({ run, build, random }) => {
      const whole = build({ source: "theta", rotaryDim: undefined });
      const size = whole.input.shape[3] as number;
      if (size < 4) return null;
      const rotaryDim = evenUpTo(random, size - 2);
      const y = await run({ ...whole, rotaryDim });
      const rest = (t: HostTensor): Uint8Array => bitsOf(slice(t, 3, rotaryDim, size));
      return sameBits(rest(y.output), rest(whole.input))
        ? null
        : `rotaryDim ${rotaryDim} of ${size}`;
    },
  },
  {
    name: "interleaved-is-a-permutation",
    statement: "Neighbouring pairs give what halves give with the columns in another order.",
    check: async ({ run, build }) => {
      const call = build({ interleaved: undefined });
      const size = call.input.shape[3] as number;
      const half = (call.rotaryDim ?? size) / 2;
      // Column 2i of the neighbours is column i of the halves, and 2i + 1 is i + half.
      const toHalves = Array.from({ length: size }, (_, c) =>
        c < half ? 2 * c : c < 2 * half ? 2 * (c - half) + 1 : c,
      );
      const neighbours = await run({ ...call, interleaved: true });
      const halves = await run({ ...call, input: columns(call.input, toHalves) });
      return sameBits(bitsOf(columns(neighbours.output, toHalves)), bitsOf(halves.output))
        ? null
        : "the two give other bits";
    },
  },
  {
    name: "chunks",
    statement: "Tokens in two calls, the second at an offset, give what they give in one.",
    check: async ({ run, build, random }) => {
      const call = build({ positions: "none", source: "table" });
      const length = call.input.shape[2] as number;
      const cut = integer(random, 0, length);
      const whole = await run(call);
      for (const [from, to] of [
        [0, cut],
        [cut, length],
      ] as const) {
        const part = await run({ ...call, input: slice(call.input, 2, from, to), offset: from });
        if (!sameBits(bitsOf(part.output), bitsOf(slice(whole.output, 2, from, to)))) {
          return `tokens ${from} to ${to} of ${length} have other bits`;
        }
      }
      return null;
    },
  },
];

function draw(random: Random): RotarySpec {
  const pick = <T>(list: readonly T[]): T => list[integer(random, 0, list.length - 1)] as T;
  const headDim = pick([4, 8, 16, 30, 64]);
  return {
    batch: integer(random, 1, 3),
    heads: integer(random, 1, 4),
    length: integer(random, 1, 20),
    headDim,
    rotaryDim: pick([undefined, evenUpTo(random, headDim)]),
    interleaved: pick([undefined, true]),
    dtype: pick(["float32", "float32", "float16"] as const),
    source: pick(["theta", "frequencies", "table"] as const),
  };
}

/** Laws of rotary position embedding, each tried on random calls. */
export const rotaryLaws: readonly OperationCase[] = lawCases({
  of: judgedRotary,
  laws,
  draw,
  build: buildRotary,
  plain: { length: 2 },
});
