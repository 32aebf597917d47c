import { type HostTensor, scatter, slice } from "@heed/core";
import { bitsOf, sameBits } from "../../calls/bits.js";
import { Random } from "../../calls/random.js";
import type { OperationCase, OperationContext } from "../../run/case.js";
import { operationSupport } from "../../run/operation-support.js";
import { buildScatter, onCopies, type ScatterCall } from "./build.js";
import { scatterOn } from "./check.js";
import type { Scattered } from "./mistakes.js";
import type { ScatterSpec } from "./spec.js";

/** Something that holds between calls, whatever the numbers. */
interface ScatterLaw {
  readonly name: string;
  readonly statement: string;
  /** The call in other words: calls that, one after another, must leave the same as it does. */
  readonly otherwise: (call: ScatterCall, random: Random) => readonly ScatterCall[];
}

const integer = (random: Random, from: number, to: number): number =>
  from + Math.floor(random.uniform() * (to - from + 1));

/** Rows of the source from one on to another, with their slots. */
function rows(call: ScatterCall, from: number, to: number): ScatterCall {
  const [batch, , count] = call.source.shape as [number, number, number];
  const slots = Int32Array.from(
    { length: batch * (to - from) },
    (_, at) =>
      call.slots[Math.floor(at / (to - from)) * count + from + (at % (to - from))] as number,
  );
  return { ...call, source: slice(call.source, 2, from, to), slots };
}

const laws: readonly ScatterLaw[] = [
  {
    name: "chunks",
    statement: "Rows in two calls leave what they leave in one, in either order.",
    otherwise: (call, random) => {
      const count = call.source.shape[2] as number;
      const cut = integer(random, 0, count);
      const parts = [rows(call, 0, cut), rows(call, cut, count)];
      return random.uniform() < 0.5 ? parts : parts.reverse();
    },
  },
  {
    name: "token-by-token",
    statement: "Rows one at a time leave what they leave together.",
    otherwise: (call) =>
      Array.from({ length: call.source.shape[2] as number }, (_, i) => rows(call, i, i + 1)),
  },
  {
    name: "order-of-rows",
    statement: "Rows of the source in another order, with their slots, leave the same.",
    otherwise: (call) => {
      const count = call.source.shape[2] as number;
      const calls = Array.from({ length: count }, (_, i) => rows(call, i, i + 1));
      return calls.reverse();
    },
  },
  {
    name: "again",
    statement: "Writing the same call twice leaves what writing it once does.",
    otherwise: (call) => [call, call],
  },
];

function same(a: Scattered, b: Scattered): boolean {
  return (
    sameBits(bitsOf(a.target), bitsOf(b.target)) &&
    (a.scales === undefined || sameBits(bitsOf(a.scales), bitsOf(b.scales as HostTensor)))
  );
}

async function search(law: ScatterLaw, context: OperationContext): Promise<string | null> {
  const random = new Random(`${law.name}-${context.seed}`);
  const pick = <T>(list: readonly T[]): T => list[integer(random, 0, list.length - 1)] as T;
  for (let i = 0; i < context.runs; i++) {
    const spec: ScatterSpec = {
      batch: integer(random, 1, 3),
      heads: integer(random, 1, 3),
      count: integer(random, 1, 5),
      headDim: pick([1, 3, 7, 8, 16]),
      rows: integer(random, 5, 9),
      ...(random.uniform() < 0.5 && { pages: integer(random, 4, 6) }),
      source: pick(["float32", "float16"] as const),
      target: pick(["float32", "float16", "int8"] as const),
      slots: pick(["append", "holes", "mixed"] as const),
    };
    const call = buildScatter(spec, `${law.name}-${i}`);
    const one = await scatterOn(context, [onCopies(call)]);
    const copy = onCopies(call);
    const { target, scales } = copy;
    const others = law
      .otherwise(call, random)
      .filter(({ source }) => source.shape[2] !== 0)
      .map((part) => ({ ...part, target, ...(scales && { scales }) }));
    const other = await scatterOn(context, others);
    if (one !== null && other !== null && !same(one, other)) {
      return `${JSON.stringify(spec)} leaves other bits`;
    }
  }
  return null;
}

/** Laws of scatter, each tried on random calls. */
export const scatterLaws: readonly OperationCase[] = laws.map((law) => ({
  id: `scatter/law-${law.name}`,
  profile: "scatter",
  operation: "scatter",
  check: async (context) => {
    const problem = scatter.describe(buildScatter({ count: 2 }, law.name));
    const support = await operationSupport(context.backend, problem);
    if (!support.ok) return { failures: support.failures, reasons: support.reasons };
    const broken = await search(law, context);
    return { failures: broken === null ? [] : [`${law.statement} Broken:`, broken] };
  },
}));
