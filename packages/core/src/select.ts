/**
 * `createAttention` in parts, for a package with an entry of its own that loads some of them later; see
 * `@heed/core/select/parts`. Applications need none of this.
 *
 * @module
 */
export { describeValue } from "./errors.js";
export type { MakeTest } from "./select/load.js";
export { type OpenOptions, openAttention } from "./select/open-attention.js";
export { type CheckedOptions, checkOptions, readAttentionOptions } from "./select/options.js";
export type { SelectionOptions } from "./select/selection.js";
export type { BackendTest } from "./select/slot.js";
export type { Candidate, Strategy, StrategyControl } from "./select/strategy.js";
