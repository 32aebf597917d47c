/**
 * The parts of `createAttention` that not every application needs at once; see `@heed/core/select`.
 *
 * @module
 */
export { DividingBackend } from "./select/dividing-backend.js";
export { classKey } from "./select/fastest.js";
export { SelfTest } from "./select/self-test.js";
export { recommendedStrategy, strategyOf } from "./select/strategies.js";
