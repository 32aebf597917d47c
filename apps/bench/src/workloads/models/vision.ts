import type { Workload } from "../workload.js";
import { modelCases } from "./model.js";

// num_attention_heads 12, hidden_size 768, image_size 224, patch_size 16: 14·14 patches and a class
const vit = { queryHeads: 12, queryLength: 197, headDim: 64 };

// num_attention_heads 12, hidden_size 768, patch_size 14, and no register tokens
const dino = { queryHeads: 12, headDim: 64 };

// vision_config: num_attention_heads 12, hidden_size 768, image_size 224, patch_size 32
const clipVision = { queryHeads: 12, queryLength: 50, headDim: 64 };

// embed_dim 96, num_heads [3, 6, 12, 24], window_size 7, image 224 in patches of 4: stage 1 is 56·56
// positions in 64 windows, stage 3 is 14·14 in 4. A bias a head holds the relative positions.
const swin = { queryLength: 49, headDim: 32, bias: true };

/** Models that look at a picture. */
export const visionModels: readonly Workload[] = [
  ...modelCases(
    {
      id: "vit-b16",
      title: "ViT-B/16 at 224×224",
      source: "https://huggingface.co/google/vit-base-patch16-224/blob/main/config.json",
    },
    [
      { id: 197, title: "14·14 patches and the class token", shape: vit },
      { id: "b8-197", title: "8 pictures", shape: { ...vit, batch: 8 } },
    ],
  ),
  ...modelCases(
    {
      id: "dinov2-base",
      title: "DINOv2-base",
      source: "https://huggingface.co/facebook/dinov2-base/blob/main/config.json",
    },
    [
      { id: 257, title: "a picture of 224×224", shape: { ...dino, queryLength: 257 } },
      { id: 1370, title: "a picture of 518×518", shape: { ...dino, queryLength: 1370 } },
    ],
  ),
  ...modelCases(
    {
      id: "clip-vision",
      title: "CLIP ViT-B/32, vision",
      source: "https://huggingface.co/openai/clip-vit-base-patch32/blob/main/config.json",
    },
    [{ id: 50, title: "7·7 patches and the class token", shape: clipVision }],
  ),
  ...modelCases(
    {
      id: "swin-t",
      title: "Swin-T at 224×224",
      source: "https://huggingface.co/microsoft/swin-tiny-patch4-window7-224/blob/main/config.json",
    },
    [
      {
        id: "stage1",
        title: "first stage: 64 windows of 7·7, relative positions as a bias",
        shape: { ...swin, batch: 64, queryHeads: 3 },
      },
      {
        id: "stage3",
        title: "third stage: 4 windows of 7·7, relative positions as a bias",
        shape: { ...swin, batch: 4, queryHeads: 12 },
      },
    ],
  ),
  ...modelCases(
    {
      id: "yolo12",
      title: "YOLO12-N at 640×640",
      source:
        "https://github.com/ultralytics/ultralytics/blob/main/ultralytics/cfg/models/12/yolo12.yaml",
    },
    [
      {
        // A2C2f [512, True, 4] at width 0.25: 64 hidden channels in heads of 32, and each of the 4
        // areas becomes a batch of 1600/4 positions.
        id: "area",
        title: "area attention at stride 16: 40·40 positions in 4 areas",
        shape: { batch: 4, queryHeads: 2, queryLength: 400, headDim: 32 },
      },
    ],
  ),
];
