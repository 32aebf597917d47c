import { describeProblem, fromFloat64, type HostTensor, roundTo, toFloat64 } from "@heed/core";
import type { ProgramCase } from "../../../run/case.js";
import { runOnce } from "./context.js";

/** Values of which the mean over equal weights is exact in float32, and how it rounds to float16. */
const means: readonly (readonly [what: string, values: readonly number[]])[] = [
  ["a tie that goes down to the even number", [1, 1 + 2 ** -10]],
  ["a tie that goes up to the even number", [1 + 2 ** -10, 1 + 2 ** -9]],
  ["a negative tie that goes towards 0", [-1, -1 - 2 ** -10]],
  ["a negative tie that goes away from 0", [-1 - 2 ** -10, -1 - 2 ** -9]],
  ["just over a tie", [1, 1 + 2 ** -10, 1 + 2 ** -10, 1 + 2 ** -10]],
  ["just under a tie", [1, 1, 1, 1 + 2 ** -10]],
  ["a negative number just over a tie", [-1, -1 - 2 ** -10, -1 - 2 ** -10, -1 - 2 ** -10]],
  ["a tie of large numbers", [32768, 32768 + 32]],
  ["three quarters between large numbers", [32768, 32800, 32800, 32800]],
  ["the largest number", [65504, 65504]],
  ["between the two largest", [65472, 65504, 65504, 65504]],
];

/** float16 outputs are rounded to the nearest, ties to even, as IEEE 754 does it by default. */
export const roundingBehaviours: readonly ProgramCase[] = [
  {
    id: "behaviour/float16-rounding",
    profile: "behaviour",
    statement:
      "Results that are exact in float32 are rounded to the nearest float16, ties to even.",
    run: async ({ backend }) => {
      const failures: string[] = [];
      for (const columns of [1, 4]) {
        for (const rows of [1, 6]) {
          for (const [what, values] of means) {
            const count = values.length;
            const zeros = (length: number): HostTensor =>
              fromFloat64(new Float64Array(length * 4), [1, 1, length, 4], "float16");
            const spread = Float64Array.from(
              { length: count * columns },
              (_, at) => values[Math.floor(at / columns)] as number,
            );
            const inputs = {
              query: zeros(rows),
              key: zeros(count),
              value: fromFloat64(spread, [1, 1, count, columns], "float16"),
            };
            if (!backend.supports(describeProblem(inputs)).ok) continue;
            const mean = values.reduce((a, b) => a + b, 0) / count;
            const wanted = roundTo("float16", mean);
            const got = toFloat64((await runOnce(backend, inputs)).output).find(
              (x) => x !== wanted,
            );
            if (got !== undefined) {
              failures.push(
                `${what}, ${rows} rows of ${columns}: ${mean} becomes ${got}, not ${wanted}`,
              );
            }
          }
        }
      }
      return { failures };
    },
  },
];
