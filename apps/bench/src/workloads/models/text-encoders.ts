import type { Workload } from "../workload.js";
import { modelCases } from "./model.js";

// num_attention_heads 12, hidden_size 768, max_position_embeddings 512
const bert = { queryHeads: 12, headDim: 64 };

// num_attention_heads 12, hidden_size 384; the sentence-transformers config stops at 256 tokens
const miniLm = { queryHeads: 12, headDim: 32 };

// text_config: num_attention_heads 8, hidden_size 512, max_position_embeddings 77; causal, as GPT-2
const clipText = { queryHeads: 8, headDim: 64, causal: true };

/** Models that read a text at once. */
export const textEncoders: readonly Workload[] = [
  ...modelCases(
    {
      id: "bert-base",
      title: "BERT-base",
      source: "https://huggingface.co/google-bert/bert-base-uncased/blob/main/config.json",
    },
    [
      { id: 128, title: "128 tokens", shape: { ...bert, queryLength: 128 } },
      { id: 512, title: "full sequence", shape: { ...bert, queryLength: 512 } },
      {
        id: "b8-128",
        title: "8 texts of 128 tokens",
        shape: { ...bert, batch: 8, queryLength: 128 },
      },
    ],
  ),
  ...modelCases(
    {
      id: "minilm-l6",
      title: "all-MiniLM-L6-v2",
      source: "https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2/blob/main/config.json",
    },
    [
      { id: 256, title: "full sequence", shape: { ...miniLm, queryLength: 256 } },
      { id: "b32-32", title: "32 sentences", shape: { ...miniLm, batch: 32, queryLength: 32 } },
    ],
  ),
  ...modelCases(
    {
      id: "clip-text",
      title: "CLIP ViT-B/32, text",
      source: "https://huggingface.co/openai/clip-vit-base-patch32/blob/main/config.json",
    },
    [{ id: 77, title: "a prompt", shape: { ...clipText, queryLength: 77 } }],
  ),
];
