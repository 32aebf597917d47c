/**
 * Conformance suite that finds exactly what an attention backend gets wrong: cases, oracles, budgets
 * and a report, for any test runner and any runtime.
 *
 * @module
 */

export { readSafeTensors, type SafeTensors } from "@heed/core/safetensors";
export {
  type BackendChoice,
  type BackendManifest,
  backendPrefix,
  functionName,
  providerIn,
  readManifest,
} from "./backend-package.js";
export { Random } from "./calls/random.js";
export {
  loadRealCalls,
  loadVector,
  type ReadVector,
  type RealCall,
  readPackagedVector,
  type VectorCase,
  type VectorFolder,
  vectorCases,
} from "./calls/vectors.js";
export { type Arithmetic, arithmeticOf, ieee754, relaxed } from "./judge/arithmetic.js";
export type { Comparison } from "./judge/compare.js";
export { unitRoundoff } from "./judge/roundoff.js";
export { type OutputName, passes, type Verdict, type WorstElement } from "./judge/verdict.js";
export { buildInputs, caseInputs } from "./operations/attention/build/inputs.js";
export { cases } from "./operations/attention/cases/index.js";
export { type Expected, judge } from "./operations/attention/judge/judge.js";
export { type NaiveEvaluation, naiveAttention } from "./operations/attention/judge/naive.js";
export { judgeRows, sampleRows } from "./operations/attention/judge/sample.js";
export type { CaseSpec, Layout, Poison, Values } from "./operations/attention/spec.js";
export { judgeMerge } from "./operations/merge/judge.js";
export { judgeRotary } from "./operations/rotary/judge.js";
export {
  documentToJson,
  makeDocument,
  parseDocument,
  type ReportDocument,
} from "./report/document.js";
export { type FeatureName, featureNames } from "./report/features.js";
export type { HtmlOptions } from "./report/html.js";
export { supportTable } from "./report/markdown.js";
export type {
  CaseResult,
  ConformanceReport,
  KnownFailure,
  Outcome,
} from "./report/report.js";
export { style } from "./report/style.js";
export { type FeatureSupport, supportOf } from "./report/support.js";
export { formatBudgets, formatFailure, formatSummary } from "./report/text.js";
export {
  aboutProfile,
  type CheckContext,
  type ConformanceCase,
  type OperationCase,
  type OperationContext,
  type OperationFinding,
  type Profile,
  type ProgramCase,
  type ProgramFinding,
  profiles,
} from "./run/case.js";
export {
  allIds,
  type CheckOptions,
  checkBackend,
  describeEnvironment,
  selectCases,
} from "./run/check.js";
export { type AnyCase, type CaseOptions, checkCase, type Subject } from "./run/check-case.js";
export {
  applyDeclaration,
  type Declaration,
  readDeclaration,
} from "./run/declaration.js";
export { reportBody, reportHtml, reportMarkdown } from "./run/reports.js";
