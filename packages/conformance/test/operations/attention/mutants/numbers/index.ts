import { logitMutants } from "./logits.js";
import type { NumberMutant } from "./mutant.js";
import { pairMutants } from "./pairs.js";
import { softmaxMutants } from "./softmax.js";
import { storageMutants } from "./storage.js";
import { visibilityMutants } from "./visibility.js";

export const numberMutants: readonly NumberMutant[] = [
  ...logitMutants,
  ...visibilityMutants,
  ...softmaxMutants,
  ...storageMutants,
  ...pairMutants,
];
