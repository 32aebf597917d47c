import type { Workload } from "../workload.js";
import { modelCases } from "./model.js";

// attention_head_dim 8 (which is the number of heads), block_out_channels [320, 640, 1280, 1280],
// sample_size 64: the outermost blocks work on 64·64 positions of 320 channels, the next on 32·32 of
// 640. The text is CLIP's 77 tokens.
const outermost = { queryHeads: 8, queryLength: 4096, headDim: 40 };

/** Models that paint. */
export const diffusionModels: readonly Workload[] = modelCases(
  {
    id: "stable-diffusion",
    title: "Stable Diffusion 1.5 at 512×512",
    source:
      "https://huggingface.co/stable-diffusion-v1-5/stable-diffusion-v1-5/blob/main/unet/config.json",
  },
  [
    { id: "64x64-self", title: "self-attention of the outermost block", shape: outermost },
    {
      id: "64x64-cross",
      title: "cross-attention of the outermost block to the text",
      shape: { ...outermost, keyLength: 77 },
    },
    {
      id: "32x32-self",
      title: "self-attention of the second block",
      shape: { queryHeads: 8, queryLength: 1024, headDim: 80 },
    },
  ],
);
