import { wasm } from "@heed/backend-wasm";
import {
  type AttentionInputs,
  describeProblem,
  float16BitsToNumber,
  type HostTensor,
  numberToFloat16Bits,
  tensor,
  toFloat64,
} from "@heed/core";
import { expect, test } from "vitest";

const backend = await wasm({ threads: 1 }).load();

async function outputOf(call: AttentionInputs<HostTensor>): Promise<Float64Array> {
  const plan = await backend.plan(describeProblem(call));
  return toFloat64((await plan.run(call)).output as HostTensor);
}

const half = (bits: Uint16Array, shape: number[]): HostTensor =>
  tensor(bits, shape, { dtype: "float16" });

/** Rows of one: the kernel for few rows; nine: that for panels. */
test.each([1, 9])(
  "%i rows: one key's value comes back bit by bit, for every float16",
  async (rows) => {
    const finite = Uint16Array.from({ length: 65536 }, (_, bits) => bits).filter((bits) =>
      Number.isFinite(float16BitsToNumber(bits)),
    );
    const width = 1023;
    const heads = Math.ceil(finite.length / width);
    const values = new Uint16Array(heads * width);
    values.set(finite);
    const output = await outputOf({
      query: half(new Uint16Array(heads * rows), [1, heads, rows, 1]),
      key: half(new Uint16Array(heads), [1, heads, 1, 1]),
      value: half(values, [1, heads, 1, width]),
    });
    const expected = toFloat64(half(values, [heads, width]));
    for (let h = 0; h < heads; h++) {
      for (let r = 0; r < rows; r++) {
        const got = output.subarray((h * rows + r) * width, (h * rows + r + 1) * width);
        // 0 · x + −0 is 0: the sign of a zero is not kept.
        expect(got.map((x) => x + 0)).toEqual(
          expected.subarray(h * width, (h + 1) * width).map((x) => x + 0),
        );
      }
    }
  },
);

test("the mean of two values is rounded to the nearest float16, ties to even", async () => {
  // Neighbours of every exponent: each mean is a tie. With a distant third, everything else.
  const pairs: [number, number][] = [];
  for (let bits = 0; bits < 0x7bff; bits += 7) {
    pairs.push([bits, bits + 1], [bits, (bits * 31) % 0x7c00], [0x8000 | bits, bits >> 1]);
  }
  const width = pairs.length;
  const value = half(Uint16Array.from([0, 1].flatMap((i) => pairs.map((p) => p[i] as number))), [
    1,
    1,
    2,
    width,
  ]);
  const output = await outputOf({
    query: half(new Uint16Array(1), [1, 1, 1, 1]),
    key: half(new Uint16Array(2), [1, 1, 2, 1]),
    value,
  });
  const expected = pairs.map(([a, b]) => {
    const mean = float16BitsToNumber(a) / 2 + float16BitsToNumber(b) / 2;
    return float16BitsToNumber(numberToFloat16Bits(mean)) + 0;
  });
  expect([...output].map((x) => x + 0)).toEqual(expected);
});
