import type { OperationCase } from "../../run/case.js";
import { mergeCases } from "./cases.js";
import { mergeWrongCalls } from "./hostile.js";
import { mergeLaws } from "./laws.js";

export { mergeVectors } from "./vectors.js";

/** Everything that the suite asks about merging partial attention, but for recorded vectors. */
export const mergeSuite: readonly OperationCase[] = [...mergeCases, ...mergeLaws, mergeWrongCalls];
