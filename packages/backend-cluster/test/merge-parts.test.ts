import {
  cast,
  type DType,
  type FloatDType,
  type HostTensor,
  mergePartials,
  statisticsDType,
  tensor,
  toFloat64,
} from "@heed/core";
import { expect, test } from "vitest";
import { PartMerge } from "../src/client/merge-parts.js";
import {
  decodeOutputs,
  encodeOutputs,
  type PartOutputs,
  readAnswer,
} from "../src/message/answers.js";
import { numbers, randomTensor } from "./calls.js";

const shape = [1, 3, 2, 5] as const;

/** A worker's answer as a client gets it: bytes that begin anywhere in a larger buffer. */
function received(output: HostTensor, logSumExp: HostTensor, at: number): PartOutputs {
  const message = encodeOutputs({ output, logSumExp, computing: 1.5 });
  const buffer = new Uint8Array(message.length + at);
  buffer.set(message, at);
  const statistics = statisticsDType(output.dtype as FloatDType);
  return decodeOutputs(readAnswer(buffer.subarray(at)), shape, output.dtype, statistics);
}

for (const dtype of ["float32", "float64", "float16"] as const) {
  test(`${dtype} outputs of parts are merged as core does it, wherever they lie in a buffer`, () => {
    const next = numbers(3);
    const wide: DType = dtype === "float64" ? dtype : "float32";
    for (const count of [1, 2, 3]) {
      const parts = Array.from({ length: count }, () => {
        const output = cast(randomTensor(next, shape), dtype);
        const logSumExp = cast(randomTensor(next, shape.slice(0, 3)), wide);
        return { output, logSumExp };
      });
      // A row that one part has no key for, whatever its output holds, and a row without any.
      const [first] = parts as [(typeof parts)[0]];
      first.logSumExp.data[1] = Number.NEGATIVE_INFINITY;
      first.output.data.fill(dtype === "float16" || count === 1 ? 0 : Number.NaN, 5, 10);
      for (const { output, logSumExp } of parts) {
        logSumExp.data[4] = Number.NEGATIVE_INFINITY;
        output.data.fill(0, 20, 25);
      }
      const expected = mergePartials(
        parts.map(({ output, logSumExp }) => ({ output: cast(output, wide), logSumExp })),
      );
      const answers = parts.map(({ output, logSumExp }, at) => received(output, logSumExp, at + 1));
      const merge = new PartMerge(dtype, shape);
      // A merge before this one leaves nothing behind.
      merge.merge([received(first.output, first.logSumExp, 3), ...answers]);
      const merged = merge.merge(answers);
      expect(merged.output.dtype).toBe(wide);
      expect(toFloat64(merged.output)).toEqual(toFloat64(expected.output));
      expect(toFloat64(merged.logSumExp)).toEqual(toFloat64(expected.logSumExp));
    }
  });
}

test("an answer with other sizes or another element type is turned away", () => {
  const of = (output: readonly number[], dtype: DType): Uint8Array =>
    encodeOutputs({
      output: cast(tensor(new Float32Array(output.reduce((a, b) => a * b, 1)), output), dtype),
      logSumExp: tensor(new Float32Array(6), [1, 3, 2]),
      computing: 0,
    });
  const read = (bytes: Uint8Array): PartOutputs =>
    decodeOutputs(readAnswer(bytes), shape, "float32", "float32");
  expect(read(of(shape, "float32")).output.length).toBe(120);
  expect(() => read(of([1, 3, 2, 4], "float32"))).toThrow(/float32 of the shape 1 × 3 × 2 × 5/);
  expect(() => read(of(shape, "float64"))).toThrow(/float32 of the shape/);
  const whole = of(shape, "float32");
  for (let end = 6; end < whole.length; end += 7) {
    expect(() => read(whole.subarray(0, end))).toThrow(/ends after|is not float32/);
  }
});
