import { generated } from "./generated.js";
import type { Workload } from "./workload.js";

/** Attention as published models run it, batch 1, one layer. */
export const modelWorkloads: readonly Workload[] = [
  generated({
    id: "bert-base-512",
    title: "BERT-base, full sequence",
    // num_attention_heads 12, hidden_size 768, max_position_embeddings 512
    source: "https://huggingface.co/google-bert/bert-base-uncased/blob/main/config.json",
    suite: "models",
    shape: { queryHeads: 12, queryLength: 512, headDim: 64 },
  }),
  generated({
    id: "vit-b16-197",
    title: "ViT-B/16 at 224×224: 14·14 patches and the class token",
    // num_attention_heads 12, hidden_size 768, image_size 224, patch_size 16
    source: "https://huggingface.co/google/vit-base-patch16-224/blob/main/config.json",
    suite: "models",
    shape: { queryHeads: 12, queryLength: 197, headDim: 64 },
  }),
  generated({
    id: "llama-3.2-1b-prefill-512",
    title: "Llama 3.2 1B, a prompt of 512 tokens",
    // num_attention_heads 32, num_key_value_heads 8, head_dim 64
    source: "https://huggingface.co/meta-llama/Llama-3.2-1B/blob/main/config.json",
    suite: "models",
    shape: { queryHeads: 32, kvHeads: 8, queryLength: 512, headDim: 64, causal: true },
  }),
  generated({
    id: "llama-3.2-1b-decode-2048",
    title: "Llama 3.2 1B, one token over a cache of 2048",
    source: "https://huggingface.co/meta-llama/Llama-3.2-1B/blob/main/config.json",
    suite: "models",
    shape: { queryHeads: 32, kvHeads: 8, queryLength: 1, keyLength: 2048, headDim: 64 },
  }),
  generated({
    id: "whisper-encoder-1500",
    title: "Whisper base, encoder, 30 s of audio",
    // encoder_attention_heads 8, d_model 512, max_source_positions 1500
    source: "https://huggingface.co/openai/whisper-base/blob/main/config.json",
    suite: "models",
    shape: { queryHeads: 8, queryLength: 1500, headDim: 64 },
  }),
  generated({
    id: "yolo12-area",
    title: "YOLO12-N at 640×640, area attention at stride 16: 40·40 positions in 4 areas",
    // A2C2f [512, True, 4] at width 0.25: 64 hidden channels in heads of 32, and each of the 4 areas
    // becomes a batch of 1600/4 positions.
    source:
      "https://github.com/ultralytics/ultralytics/blob/main/ultralytics/cfg/models/12/yolo12.yaml",
    suite: "models",
    shape: { batch: 4, queryHeads: 2, queryLength: 400, headDim: 32 },
  }),
  generated({
    id: "stable-diffusion-64x64-self",
    title: "Stable Diffusion 1.5 at 512×512, self-attention of the outermost block",
    // attention_head_dim 8 (which is the number of heads), block_out_channels[0] 320, sample_size 64
    source:
      "https://huggingface.co/stable-diffusion-v1-5/stable-diffusion-v1-5/blob/main/unet/config.json",
    suite: "models",
    shape: { queryHeads: 8, queryLength: 4096, headDim: 40 },
  }),
];
