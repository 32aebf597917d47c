import { generated, type PartialShape } from "../generated.js";
import type { Workload } from "../workload.js";
import type { Model } from "./model.js";

type Layer = Omit<PartialShape, "queryLength" | "keyLength" | "batch">;

/** A model that writes: prompts of several lengths, then one token at a time over a cache. */
interface LanguageModel extends Model {
  readonly layer: Layer;
  readonly prefill: readonly number[];
  readonly decode: readonly number[];
  /** Batches and cache lengths of decoding for several at once. */
  readonly decodeBatch?: readonly (readonly [batch: number, cache: number])[];
}

/**
 * Every layer is causal, which hides nothing from one token over a cache: a caller leaves it out
 * there, unless a window needs it. A sliding window of n is n keys up to and including the query's
 * own, as in each model's own code.
 */
function languageModel(model: LanguageModel): Workload[] {
  const { id, title, source, layer, prefill, decode, decodeBatch = [] } = model;
  const about = { source, suite: "models" } as const;
  const oneToken = { ...layer, queryLength: 1, ...(layer.window && { causal: true }) };
  return [
    ...prefill.map((length) =>
      generated({
        ...about,
        id: `${id}-prefill-${length}`,
        title: `${title}, a prompt of ${length} tokens`,
        series: { name: `${title}, prefill`, axis: "length", at: length },
        shape: { ...layer, queryLength: length, causal: true },
      }),
    ),
    ...decode.map((cache) =>
      generated({
        ...about,
        id: `${id}-decode-${cache}`,
        title: `${title}, one token over a cache of ${cache}`,
        series: { name: `${title}, decode`, axis: "cache", at: cache },
        shape: { ...oneToken, keyLength: cache },
      }),
    ),
    ...decodeBatch.map(([batch, cache]) =>
      generated({
        ...about,
        id: `${id}-decode-b${batch}-${cache}`,
        title: `${title}, one token each for ${batch} over caches of ${cache}`,
        shape: { ...oneToken, batch, keyLength: cache },
      }),
    ),
  ];
}

const gemma3 = "https://huggingface.co/google/gemma-3-1b-pt/blob/main/config.json";
const gptOss = "https://huggingface.co/openai/gpt-oss-20b/blob/main/config.json";

export const languageModels: readonly Workload[] = [
  ...languageModel({
    id: "smollm2-135m",
    title: "SmolLM2 135M",
    source: "https://huggingface.co/HuggingFaceTB/SmolLM2-135M/blob/main/config.json",
    // num_attention_heads 9, num_key_value_heads 3, hidden_size 576
    layer: { queryHeads: 9, kvHeads: 3, headDim: 64 },
    prefill: [256],
    decode: [1024],
  }),
  ...languageModel({
    id: "qwen3-0.6b",
    title: "Qwen3 0.6B",
    source: "https://huggingface.co/Qwen/Qwen3-0.6B/blob/main/config.json",
    // num_attention_heads 16, num_key_value_heads 8, head_dim 128
    layer: { queryHeads: 16, kvHeads: 8, headDim: 128 },
    prefill: [256],
    decode: [1024],
  }),
  ...languageModel({
    id: "llama-3.2-1b",
    title: "Llama 3.2 1B",
    source: "https://huggingface.co/meta-llama/Llama-3.2-1B/blob/main/config.json",
    // num_attention_heads 32, num_key_value_heads 8, head_dim 64
    layer: { queryHeads: 32, kvHeads: 8, headDim: 64 },
    prefill: [64, 128, 512],
    decode: [512, 2048, 8192],
    decodeBatch: [[4, 2048]],
  }),
  ...languageModel({
    id: "gemma-3-1b-global",
    title: "Gemma 3 1B, global layer",
    source: gemma3,
    // num_attention_heads 4, num_key_value_heads 1, head_dim 256; query_pre_attn_scalar 256, which
    // is the usual scale
    layer: { queryHeads: 4, kvHeads: 1, headDim: 256 },
    prefill: [1024],
    decode: [4096],
  }),
  ...languageModel({
    id: "gemma-3-1b-local",
    title: "Gemma 3 1B, local layer",
    source: gemma3,
    // sliding_window 512
    layer: { queryHeads: 4, kvHeads: 1, headDim: 256, window: { left: 511 } },
    prefill: [1024],
    decode: [4096],
  }),
  ...languageModel({
    id: "gpt-oss-20b-global",
    title: "gpt-oss 20B, full layer",
    source: gptOss,
    // num_attention_heads 64, num_key_value_heads 8, head_dim 64; a learned sink a head
    layer: { queryHeads: 64, kvHeads: 8, headDim: 64, sinks: true },
    prefill: [],
    decode: [2048],
  }),
  ...languageModel({
    id: "gpt-oss-20b-local",
    title: "gpt-oss 20B, sliding layer",
    source: gptOss,
    // sliding_window 128
    layer: { queryHeads: 64, kvHeads: 8, headDim: 64, sinks: true, window: { left: 127 } },
    prefill: [512],
    decode: [2048],
  }),
];
