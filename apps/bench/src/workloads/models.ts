import { diffusionModels } from "./models/diffusion.js";
import { languageModels } from "./models/language.js";
import { speechModels } from "./models/speech.js";
import { textEncoders } from "./models/text-encoders.js";
import { visionModels } from "./models/vision.js";
import type { Workload } from "./workload.js";

/** Attention as published models run it, one layer; every size is from the model's own config. */
export const modelWorkloads: readonly Workload[] = [
  ...textEncoders,
  ...visionModels,
  ...speechModels,
  ...diffusionModels,
  ...languageModels,
];
