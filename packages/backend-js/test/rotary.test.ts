import { js } from "@heed/backend-js";
import { createAttention, fromFloat64, reference, rotary, transpose } from "@heed/core";
import { expect, test } from "vitest";

const filled = (shape: readonly number[], dtype: "float64" | "float32" | "float16") =>
  fromFloat64(
    Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(i * 1.7)),
    shape,
    dtype,
  );

test.each(["float64", "float32", "float16"] as const)(
  "rotary in %s is the reference, rounded once",
  async (dtype) => {
    const [ours, theirs] = await Promise.all(
      [js(), reference()].map((provider) => createAttention({ backends: [provider] })),
    );
    const plain = filled([2, 3, 5, 12], dtype);
    const swapped = transpose(filled([2, 5, 3, 12], dtype), [0, 2, 1, 3]);
    for (const input of [plain, swapped]) {
      for (const interleaved of [false, true]) {
        for (const rotaryDim of [2, 8, 12]) {
          const call = { input, theta: 100, offset: [3, 900], interleaved, rotaryDim };
          const got = await ours?.apply(rotary, call);
          expect(got?.backend).toBe("js");
          expect(got?.output).toEqual((await theirs?.apply(rotary, call))?.output);
        }
      }
    }
    await Promise.all([ours?.dispose(), theirs?.dispose()]);
  },
);
