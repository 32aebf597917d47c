/**
 * Browsers and runtimes that benchmarks and the conformance suite run in, beside Node.
 *
 * @module
 */
export { findEngine, hasEngine, MissingEngineError } from "./find.js";
export {
  type BrowserName,
  browserNames,
  type EngineName,
  engineNames,
  isBrowser,
  type RuntimeName,
  runtimeNames,
} from "./names.js";
export type { OpenedPage, OpenOptions } from "./opened.js";
export { type DrivenRun, openPage, runPage } from "./page.js";
export { runIn, type ScriptRun } from "./runtime.js";
export { type ServedPage, type ServeOptions, serveFolder } from "./serve.js";
