import { Random } from "@heed/conformance";
import type { Workload } from "../../workloads/workload.js";
import { decode } from "./operation.js";
import type { DecodeDType, DecodeKind, DecodeSizes } from "./problem.js";
import { type DecodeInputs, TokenRows } from "./tokens.js";

// num_attention_heads 32, num_key_value_heads 8, head_dim 64
const source = "https://huggingface.co/meta-llama/Llama-3.2-1B/blob/main/config.json";
const layer = { queryHeads: 32, kvHeads: 8, headDim: 64 };

const lengths = [512, 2048, 8192, 32768];
const batches = [1, 8];
const kinds: readonly DecodeKind[] = ["static", "rolling", "paged"];
const dtypes: readonly DecodeDType[] = ["float32", "float16", "int8"];

const storages: readonly Pick<DecodeSizes, "kind" | "dtype">[] = [
  ...kinds.flatMap((kind) => dtypes.map((dtype) => ({ kind, dtype }))),
  { kind: "concatenate", dtype: "float32" },
];

/** Whole steps of decoding: a token is appended to a cache, and its query attends to all of it. */
export const decodeWorkloads: readonly Workload<DecodeInputs>[] = batches.flatMap((batch) =>
  storages.flatMap((storage) =>
    lengths.map((length) => decodeWorkload({ ...layer, ...storage, batch, length })),
  ),
);

/** @param sizes of the step; the suite has those of a published model */
export function decodeWorkload(sizes: DecodeSizes): Workload<DecodeInputs> {
  const { batch, length, kind, dtype } = sizes;
  const sequences = batch === 1 ? "" : `b${batch}-`;
  const storage = kind === "concatenate" ? kind : `${kind}-${dtype}`;
  const how =
    kind === "concatenate"
      ? "new tensors, one token longer, at each step"
      : `${kind} cache of ${dtype}`;
  const of = batch === 1 ? "" : ` of each of ${batch} sequences`;
  return {
    id: `decode-${sequences}${length}-${storage}`,
    title: `Llama 3.2 1B, a step after ${length} tokens${of}: ${how}`,
    source,
    suite: "decode",
    operation: decode,
    series: {
      name: `decoding step, ${how}, batch ${batch}`,
      axis: "cache",
      at: length,
    },
    flops: 4 * batch * sizes.queryHeads * length * sizes.headDim,
    load: async (inputDType) => {
      const { queryHeads, headDim } = sizes;
      const query = new Random(storage).tensor([batch, queryHeads, 1, headDim], inputDType);
      return { sizes, tokens: new TokenRows(sizes), query };
    },
  };
}
