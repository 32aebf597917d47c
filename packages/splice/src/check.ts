/**
 * Comparison of a spliced model with the unspliced one, on any backends.
 *
 * @module
 */
export {
  type BackendCheck,
  type CheckOptions,
  checkModel,
  type ModelCheck,
  type SiteCheck,
} from "./check/check.js";
export { checkOutput, type OutputCheck } from "./check/outputs.js";
