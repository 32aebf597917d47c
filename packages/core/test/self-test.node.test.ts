import { type AttentionOutputs, type HostTensor, referenceAttention } from "@heed/core";
import { expect, test } from "vitest";
import { selfTestCalls } from "../src/select/self-test-problems.js";

test("the recorded results are those of the reference; `vitest -u` writes them", async () => {
  const results = selfTestCalls("float64").map(referenceAttention);
  await expect(source(results)).toMatchFileSnapshot(
    "../src/select/generated/self-test-expected.ts",
  );
});

/** Results as a source file: six decimals are more than the self-test's bounds can tell apart. */
function source(results: readonly AttentionOutputs<HostTensor>[]): string {
  const numbers = (t: HostTensor | undefined): string =>
    t === undefined ? "null" : `[${Array.from(t.data, (x) => Number(x.toFixed(6))).join(",")}]`;
  const entries = results.map(
    ({ output, logSumExp }) =>
      `  {\n    output: ${numbers(output)},\n    logSumExp: ${numbers(logSumExp)},\n  },\n`,
  );
  return [
    "// Written by test/self-test.node.test.ts: what the float64 reference gives for the self-test's calls.\n",
    "/** Expected results of one call, row-major; null for what the call does not return. */",
    "interface Expected {",
    "  readonly output: readonly number[];",
    "  readonly logSumExp: readonly number[] | null;",
    "}\n",
    "export const expectedResults: readonly Expected[] = [",
    `${entries.join("")}];\n`,
  ].join("\n");
}
