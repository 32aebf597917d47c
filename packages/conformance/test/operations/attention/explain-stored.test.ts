import { type HostTensor, referenceAttention, tensor } from "@heed/core";
import { describe, expect, test } from "vitest";
import { buildInputs } from "../../../src/operations/attention/build/inputs.js";
import { explainOutputs } from "../../../src/operations/attention/explain/explain.js";
import type { CaseSpec } from "../../../src/operations/attention/spec.js";

const base: CaseSpec = { batch: 2, queryLength: 5, keyLength: 12, headDim: 8, causal: true };

/** Calls whose keys are stored in some way, in sequences or at positions. */
const specs: Readonly<Record<string, CaseSpec>> = {
  positions: { ...base, queryPositions: { order: "tree" }, keyPositions: { order: "ring" } },
  "positions in pages of int8": {
    ...base,
    kvDtype: "int8",
    pages: { size: 4 },
    keyPositions: { order: "scattered" },
  },
  "a ragged batch": {
    ...base,
    queryOffset: "bottom-right",
    ragged: { queries: [5, 2], keys: [12, 7] },
  },
  pages: { ...base, queryOffset: 7, pages: { size: 4 } },
};

describe.each(Object.entries(specs))("%s", (_, spec) => {
  test("what no mistake gives is explained by none", () => {
    const inputs = buildInputs(spec, "explained");
    const { output } = referenceAttention(inputs);
    const wrong = tensor(
      Float64Array.from(output.data as Float64Array, (x, at) => 3 * x + Math.sin(at)),
      output.shape,
    ) as HostTensor;
    expect(explainOutputs(inputs, { output: wrong }, { tiles: {} })).toEqual([]);
  });
});
