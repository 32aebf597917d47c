import type { ProgramCase } from "../../../run/case.js";
import { declaredBehaviours } from "./declared.js";
import { deviceTensorBehaviours } from "./device-tensors.js";
import { lifetimeBehaviours } from "./lifetime.js";
import { memoryBehaviours } from "./memory.js";
import { misuseBehaviours } from "./misuse.js";
import { onnxMaskBehaviours } from "./onnx-masks.js";
import { orderBehaviours } from "./order.js";
import { reuseBehaviours } from "./reuse.js";
import { roundingBehaviours } from "./rounding.js";

/** Requirements on a backend beyond computing one call. */
export const behaviours: readonly ProgramCase[] = [
  ...orderBehaviours,
  ...lifetimeBehaviours,
  ...declaredBehaviours,
  ...reuseBehaviours,
  ...memoryBehaviours,
  ...misuseBehaviours,
  ...deviceTensorBehaviours,
  ...onnxMaskBehaviours,
  ...roundingBehaviours,
];
