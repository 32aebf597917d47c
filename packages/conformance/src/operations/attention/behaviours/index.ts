import type { ProgramCase } from "../../../run/case.js";
import { declaredBehaviours } from "./declared.js";
import { lifetimeBehaviours } from "./lifetime.js";
import { memoryBehaviours } from "./memory.js";
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
  ...roundingBehaviours,
];
