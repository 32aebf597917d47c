import type { ProgramCase } from "../../../run/case.js";
import { declaredBehaviours } from "./declared.js";
import { lifetimeBehaviours } from "./lifetime.js";
import { orderBehaviours } from "./order.js";

/** What a backend must do beside computing one call. */
export const behaviours: readonly ProgramCase[] = [
  ...orderBehaviours,
  ...lifetimeBehaviours,
  ...declaredBehaviours,
];
