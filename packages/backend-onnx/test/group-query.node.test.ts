import { judge, passes } from "@heed/conformance";
import {
  type AttentionInputs,
  type AttentionOutputs,
  type Backend,
  cast,
  describeProblem,
  type HostTensor,
  tensor,
} from "@heed/core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { backendOn } from "../src/backend.js";
import { loadRuntime } from "../src/runtime/load.js";
import { checkOptions } from "../src/runtime/options.js";

/** GroupQueryAttention for all that it can say, and not from some length on. */
let backend: Backend;
beforeAll(async () => {
  const loaded = await loadRuntime(checkOptions({ provider: "cpu", threads: 1 }));
  const groupQueryFrom = { operator: 0, plain: 0 };
  backend = await backendOn({ ...loaded, traits: { ...loaded.traits, groupQueryFrom } });
});
afterAll(() => backend.dispose());

interface Sizes {
  readonly batch?: number;
  readonly heads?: readonly [number, number];
  readonly length: number;
  readonly dim?: number;
}

function call(
  { batch = 1, heads: [queryHeads, kvHeads] = [2, 2], length, dim = 8 }: Sizes,
  rules: Partial<AttentionInputs<HostTensor>>,
): AttentionInputs<HostTensor> {
  const fill = (heads: number, seed: number): HostTensor => {
    const count = batch * heads * length * dim;
    const values = Float32Array.from({ length: count }, (_, i) => 2 * Math.sin(seed + 7.3 * i));
    return tensor(values, [batch, heads, length, dim]);
  };
  return {
    query: fill(queryHeads, 1),
    key: fill(kvHeads, 2),
    value: fill(kvHeads, 3),
    causal: true,
    ...rules,
  };
}

async function run(inputs: AttentionInputs<HostTensor>): Promise<AttentionOutputs<HostTensor>> {
  const plan = await backend.plan(describeProblem(inputs));
  expect(plan.description.kernel).toBe("attention-group-query-cpu");
  return (await plan.run(inputs)) as AttentionOutputs<HostTensor>;
}

const sizes: readonly Sizes[] = [
  { length: 2 },
  { length: 7, batch: 3, heads: [4, 2] },
  { length: 64, dim: 16 },
  { length: 65, heads: [4, 1], dim: 128 },
  { length: 70, batch: 2, heads: [4, 2], dim: 32 },
  { length: 260, heads: [2, 1], dim: 64 },
];

const rules: readonly [string, (heads: number) => Partial<AttentionInputs<HostTensor>>][] = [
  ["causal", () => ({})],
  ["its own key alone", () => ({ window: { left: 0 } })],
  ["a window of 2 keys", () => ({ window: { left: 1 } })],
  ["a window of 41 keys", () => ({ window: { left: 40 } })],
  ["a window as long as the keys", () => ({ window: { left: 259 } })],
  ["sinks", (heads) => ({ sinks: Array.from({ length: heads }, (_, h) => h - 1) })],
  ["a sink that is none", (heads) => ({ sinks: new Array(heads).fill(Number.NEGATIVE_INFINITY) })],
  [
    "sinks and a window",
    (heads) => ({ sinks: Array.from({ length: heads }, (_, h) => 4 * h), window: { left: 3 } }),
  ],
  ["another scale", () => ({ scale: 1.5 })],
];

test.each(
  rules.flatMap(([name, make]) =>
    sizes.map((size) => [`${name}, ${JSON.stringify(size)}`, size, make] as const),
  ),
)("%s", async (_, size, make) => {
  const inputs = call(size, make((size.heads ?? [2])[0]));
  expect(judge(inputs, await run(inputs))).toSatisfy(passes);
});

test("float16, through float32", async () => {
  const inputs = call({ length: 70, dim: 16 }, { window: { left: 9 } });
  const half = (t: HostTensor) => cast(t, "float16");
  const { query, key, value } = inputs;
  const given = { ...inputs, query: half(query), key: half(key), value: half(value) };
  expect(judge(given, await run(given))).toSatisfy(passes);
});

test.each(["key", "value"] as const)(
  "NaN in a %s reaches no row that it is hidden from",
  async (name) => {
    for (const left of [5, 69]) {
      const clean = (await run(call({ length: 70 }, { window: { left } }))).output.data;
      for (const at of [1, 30, 69]) {
        const inputs = call({ length: 70 }, { window: { left } });
        (inputs[name].data as Float32Array)[at * 8 + 1] = Number.NaN;
        const { output } = await run(inputs);
        for (let row = 0; row < 70; row++) {
          if (row >= at && row <= at + left) continue;
          for (let d = 0; d < 8; d++) {
            expect(output.data[row * 8 + d]).toBeCloseTo(clean[row * 8 + d] as number, 4);
          }
        }
      }
    }
  },
);
