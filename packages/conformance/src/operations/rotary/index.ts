import type { OperationCase } from "../../run/case.js";
import { rotaryCases } from "./cases.js";
import { rotaryWrongCalls } from "./hostile.js";
import { rotaryLaws } from "./laws.js";

export { rotaryVectors } from "./vectors.js";

/** Everything that the suite asks about rotary position embedding, but for recorded vectors. */
export const rotarySuite: readonly OperationCase[] = [
  ...rotaryCases,
  ...rotaryLaws,
  rotaryWrongCalls,
];
