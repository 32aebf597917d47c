import { wasm } from "@heed/backend-wasm";
import { Random } from "@heed/conformance";
import {
  type AttentionInputs,
  describeProblem,
  type HostTensor,
  referenceAttention,
  tensor,
  toFloat64,
} from "@heed/core";
import { describe, expect, test } from "vitest";

type Call = AttentionInputs<HostTensor>;

const best = await wasm({ threads: 1 }).load();
const baseline = await wasm({ threads: 1, simd: "baseline" }).load();

const table = (rows: readonly (readonly number[])[]) =>
  tensor(Int32Array.from(rows.flat()), [rows.length, (rows[0] as readonly number[]).length]);

/** Positions of so many keys, from the first on, in no order. */
const scattered = (keys: number, first: number) =>
  Array.from({ length: keys }, (_, j) => first + ((7 * j) % keys));

function call(keys: number, rows: number): Call {
  const random = new Random(`${keys} keys, ${rows} rows`);
  return {
    query: random.tensor([2, 1, rows, 32], "float32"),
    key: random.tensor([2, 1, keys, 32], "float32"),
    value: random.tensor([2, 1, keys, 16], "float32"),
  };
}

describe.each([
  ["the best build", best],
  ["baseline SIMD", baseline],
])("%s", (_, backend) => {
  async function run(inputs: Call): Promise<Float64Array> {
    const plan = await backend.plan(describeProblem(inputs));
    return toFloat64((await plan.run(inputs)).output as HostTensor);
  }

  // One row without rules takes the kernel that has keys as lanes; so does one whose rules hide nothing of a tile.
  test.each([1, 2, 3, 4, 5, 19, 127, 128, 130])(
    "a row that sees all of %i keys has the bits that it has without positions",
    async (keys) => {
      const plain = call(keys, 1);
      const rules = {
        window: { left: keys, right: keys },
        queryPositions: table([[keys >> 1], [10_000]]),
        // Keys that one sequence sees are out of the other's sight.
        keyPositions: table([scattered(keys, 0), scattered(keys, 10_000)]),
      };
      expect(await run({ ...plain, ...rules })).toEqual(await run(plain));
    },
  );

  // Every place that a hidden key can have among those that are looked at four at a time.
  test.each([1, 3, 9])("one key that is out of sight, wherever it lies: %i rows", async (rows) => {
    for (const keys of [5, 8, 11]) {
      for (let hidden = 0; hidden < keys; hidden++) {
        for (const position of [-50, 50]) {
          const positions = Array.from({ length: keys }, (_, j) =>
            j === hidden ? position : j % 3,
          );
          const inputs = {
            ...call(keys, rows),
            window: { left: 20, right: 20 },
            queryPositions: table([Array<number>(rows).fill(1)]),
            keyPositions: table([positions]),
          };
          const expected = toFloat64(referenceAttention(inputs).output);
          const got = await run(inputs);
          const worst = Math.max(...got.map((x, i) => Math.abs(x - (expected[i] as number))));
          expect(worst, `key ${hidden} of ${keys} at ${position}`).toBeLessThan(3e-6);
        }
      }
    }
  });
});
