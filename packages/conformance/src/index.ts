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
export {
  type Comparison,
  type Expected,
  judge,
  type OutputName,
  passes,
  unitRoundoff,
  type Verdict,
  type WorstElement,
} from "./judge.js";
export { type NaiveEvaluation, naiveAttention } from "./naive.js";
export { naive } from "./naive-backend.js";
export { Random } from "./random.js";
export {
  type CaseResult,
  type ConformanceReport,
  featureNames,
  formatBudgets,
  formatFailure,
  formatSummary,
  type Outcome,
  reportToJson,
  supportTable,
} from "./report.js";
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
