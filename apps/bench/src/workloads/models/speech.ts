import type { Workload } from "../workload.js";
import { modelCases } from "./model.js";

// encoder_attention_heads and decoder_attention_heads 8, d_model 512, max_source_positions 1500
const heads = { queryHeads: 8, headDim: 64 };

/** Models that listen. */
export const speechModels: readonly Workload[] = modelCases(
  {
    id: "whisper",
    title: "Whisper base",
    source: "https://huggingface.co/openai/whisper-base/blob/main/config.json",
  },
  [
    { id: "encoder-1500", title: "encoder, 30 s of audio", shape: { ...heads, queryLength: 1500 } },
    {
      id: "cross-4",
      title: "decoder, the 4 tokens of the prompt over the audio",
      shape: { ...heads, queryLength: 4, keyLength: 1500 },
    },
    {
      id: "cross-1",
      title: "decoder, one token over the audio",
      shape: { ...heads, queryLength: 1, keyLength: 1500 },
    },
  ],
);
