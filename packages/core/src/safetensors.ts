/**
 * The safetensors format, for saved caches, weights and recorded tensors.
 *
 * @module
 */
export { readSafeTensors, type SafeTensors } from "./safetensors/read.js";
export { writeSafeTensors } from "./safetensors/write.js";
