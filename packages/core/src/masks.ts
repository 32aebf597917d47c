/**
 * Masks and scores that papers have named, as programs: each can be given to a call, combined with `and`, `or` and
 * `not` of `@heed/core/program`, and made into a block mask.
 *
 * @module
 */
export { type AreaOptions, area } from "./masks/area.js";
export type { BatchNumber } from "./masks/arguments.js";
export { type BigBirdOptions, bigBird, bigBirdRandomBlocks } from "./masks/big-bird.js";
export { causal } from "./masks/causal.js";
export { type DilatedOptions, dilated } from "./masks/dilated.js";
export { document } from "./masks/document.js";
export type { ImageSize } from "./masks/image.js";
export { type LongformerOptions, longformer } from "./masks/longformer.js";
export { type NeighbourhoodOptions, neighbourhood } from "./masks/neighbourhood.js";
export { prefixLM } from "./masks/prefix-lm.js";
export { slidingWindow } from "./masks/sliding-window.js";
export { type SwinOptions, swin, swinBias } from "./masks/swin.js";
export { type TreeOptions, tree } from "./masks/tree.js";
