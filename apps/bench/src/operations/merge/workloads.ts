import { Random } from "@heed/conformance";
import {
  merge as definition,
  type FloatDType,
  type HostTensor,
  type MergeInputs,
  statisticsDType,
  tensor,
} from "@heed/core";
import type { Series, Workload } from "../../workloads/workload.js";
import { merge } from "./operation.js";

/** Sizes of one call: the partial results of a layer's attention. */
interface MergeShape {
  readonly parts: number;
  readonly batch?: number;
  readonly heads: number;
  readonly queryLength: number;
  readonly valueDim: number;
}

interface MergeCase extends Pick<Workload, "id" | "title" | "source"> {
  readonly shape: MergeShape;
  readonly series?: Series;
}

// head_dim 128, num_attention_heads 32
const source = "https://huggingface.co/meta-llama/Meta-Llama-3-8B/blob/main/config.json";
const layer = { heads: 32, valueDim: 128 };

const cases: readonly MergeCase[] = [
  ...[2, 4, 8, 16].map((parts) => ({
    id: `llama-3-8b-merge-decode-${parts}`,
    title: `Llama 3 8B, one token: a cache in ${parts} parts`,
    source,
    shape: { ...layer, parts, queryLength: 1 },
    series: { name: "Llama 3 8B, merging a decode step", axis: "parts", at: parts } as const,
  })),
  {
    id: "llama-3-8b-merge-decode-b32-8",
    title: "Llama 3 8B, one token each for 32 sequences: caches in 8 parts",
    source,
    shape: { ...layer, batch: 32, parts: 8, queryLength: 1 },
  },
  {
    id: "llama-3-8b-merge-prefill-256-2",
    title: "Llama 3 8B, a prompt of 256 tokens: a shared prefix and the rest",
    source,
    shape: { ...layer, parts: 2, queryLength: 256 },
  },
];

/** Merging of partial attention in a published model's sizes; values are drawn from a normal distribution. */
export const mergeWorkloads: readonly Workload<MergeInputs<HostTensor>>[] = cases.map(
  ({ shape, ...about }) => ({
    ...about,
    suite: "merge",
    operation: merge,
    flops: flopsOf(shape),
    load: async (dtype) => {
      const random = new Random(about.id);
      return call(shape, dtype, (sizes, of) => random.tensor(sizes, of));
    },
  }),
);

/** Counted on tensors that repeat one element, since only sizes matter. */
function flopsOf(shape: MergeShape): number {
  const inputs = call(shape, "float32", (sizes) =>
    tensor(new Float32Array(1), sizes, { strides: sizes.map(() => 0) }),
  );
  return definition.work(definition.bind(definition.describe(inputs), inputs)).flops;
}

function call(
  { parts, batch = 1, heads, queryLength, valueDim }: MergeShape,
  dtype: FloatDType,
  make: (sizes: readonly number[], dtype: FloatDType) => HostTensor,
): MergeInputs<HostTensor> {
  const rows = [batch, heads, queryLength];
  return {
    parts: Array.from({ length: parts }, () => ({
      output: make([...rows, valueDim], dtype),
      logSumExp: make(rows, statisticsDType(dtype)),
    })),
  };
}
