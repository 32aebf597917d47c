/**
 * What an attention backend gets wrong, exactly: cases, oracles, budgets and a report, for any test
 * runner and any runtime.
 *
 * @module
 */
export { type Arithmetic, arithmeticOf, ieee754, relaxed } from "./arithmetic.js";
export { buildInputs } from "./build/inputs.js";
export {
  type CheckContext,
  type ConformanceCase,
  caseInputs,
  type Profile,
  type ProgramCase,
  type ProgramFinding,
  profiles,
} from "./case.js";
export { cases } from "./cases/index.js";
export {
  allIds,
  type CheckOptions,
  checkBackend,
  describeEnvironment,
  selectCases,
} from "./check.js";
export { type AnyCase, type CaseOptions, checkCase, type Subject } from "./check-case.js";
export {
  applyDeclaration,
  type Declaration,
  type KnownFailure,
  readDeclaration,
} from "./declaration.js";
export { unitRoundoff } from "./judge/allowance.js";
export type { Comparison } from "./judge/compare.js";
export { type Expected, judge } from "./judge/judge.js";
export { type OutputName, passes, type Verdict, type WorstElement } from "./judge/verdict.js";
export { type NaiveEvaluation, naiveAttention } from "./naive.js";
export { Random } from "./random.js";
export {
  documentToJson,
  makeDocument,
  parseDocument,
  type ReportDocument,
} from "./report/document.js";
export { type FeatureName, featureNames } from "./report/features.js";
export { type HtmlOptions, reportBody, reportHtml } from "./report/html.js";
export { reportMarkdown, supportTable } from "./report/markdown.js";
export type { CaseResult, ConformanceReport, Outcome } from "./report/report.js";
export { style } from "./report/style.js";
export { type FeatureSupport, supportOf } from "./report/support.js";
export { formatBudgets, formatFailure, formatSummary } from "./report/text.js";
export { readSafeTensors, type SafeTensors } from "./safetensors.js";
export { judgeRows, sampleRows } from "./sample.js";
export type { CaseSpec, Layout, Poison, Values } from "./spec.js";
export {
  loadRealCalls,
  loadVector,
  type ReadVector,
  type RealCall,
  readPackagedVector,
  type VectorCase,
  type VectorFolder,
  vectorCases,
} from "./vectors.js";
