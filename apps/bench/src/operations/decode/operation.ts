import { UnsupportedError } from "@heed/core";
import type { MeasuredDefinition, MeasuredOperation } from "../operation.js";
import { judgeDecode } from "./judge.js";
import { type DecodeProblem, growth, keysSeen, rowBytes } from "./problem.js";
import { cachedSteps, concatenatingSteps } from "./steps.js";
import type { DecodeInputs } from "./tokens.js";

function describe({ sizes, query }: DecodeInputs): DecodeProblem {
  const { batch, queryHeads, kvHeads, headDim, length, kind, dtype } = sizes;
  return {
    operation: "decode",
    ...sizes,
    inputDType: query.dtype,
    key: [
      query.dtype,
      `b${batch}`,
      `h${queryHeads}/${kvHeads}`,
      `l${length}`,
      `d${headDim}`,
      kind,
      dtype,
    ].join(" "),
  };
}

/** Bytes of the keys and values of a number of tokens of each sequence. */
function storedBytes(problem: DecodeProblem, tokens: number): number {
  return 2 * problem.batch * problem.kvHeads * tokens * rowBytes(problem);
}

const definition: MeasuredDefinition = {
  name: "decode",
  describe,
  bind: (problem: DecodeProblem, inputs: DecodeInputs) => ({ problem, reads: [], inputs }),
  operands: ({ batch, queryHeads, headDim }: DecodeProblem) => [
    {
      name: "output",
      shape: [batch, queryHeads, 1, headDim],
      dtype: "float32",
      access: "write",
    },
  ],
  work: ({ problem }: { readonly problem: DecodeProblem }) => {
    const { batch, queryHeads, headDim } = problem;
    const keys = keysSeen(problem);
    return {
      flops: 4 * batch * queryHeads * keys * headDim,
      // The token's own rows are written, and all are read; query and output beside.
      bytes: storedBytes(problem, keys + 1) + 8 * batch * queryHeads * headDim,
    };
  },
};

/** A step of decoding through a cache; see {@link DecodeProblem}. */
export const decode: MeasuredOperation<DecodeInputs, DecodeProblem> = {
  definition,
  prepareJudge: judgeDecode,
  sizesOf: ({ batch, queryHeads, kvHeads, headDim, length }) => ({
    batch,
    queryHeads,
    kvHeads,
    headDim,
    length,
  }),
  tokensOf: ({ batch }) => batch,
  // New tensors are made while the old ones are there, and garbage is collected later.
  bytesOf: (problem) =>
    storedBytes(problem, problem.length + growth) * (problem.kind === "concatenate" ? 4 : 1),
  procedure: {
    prepare: async (place, { kind, inputDType }, inputs) => {
      if (inputDType !== "float32") {
        const message = `steps are measured with float32 queries, not ${inputDType}`;
        const reasons = [{ code: "dtype", message }];
        throw new UnsupportedError([{ backend: place.backend.name, reasons }]);
      }
      return kind === "concatenate"
        ? concatenatingSteps(place, inputs)
        : cachedSteps(place, inputs);
    },
  },
};
