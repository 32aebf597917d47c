/**
 * Masks and scores as programs: small typed expressions that are data, which every backend compiles in its
 * own way. FlexAttention (arXiv:2412.05496) for every JavaScript runtime.
 *
 * @module
 */
export {
  BlockMask,
  type BlockMaskData,
  type BlockMaskOrigin,
} from "./program/block-mask.js";
export { type BlockRuns, BlockRunsBuilder, blockKinds } from "./program/block-runs.js";
export { type BoundProgram, bindProgram } from "./program/bound.js";
export { type BoxPositions, ProgramBoxes } from "./program/boxes.js";
export { type BlockGrid, classifyBlocks } from "./program/classify-blocks.js";
export { type BlockMaskOptions, createBlockMask } from "./program/create-block-mask.js";
export { dependence, dependencesOf } from "./program/dependences.js";
export { constantValues, type ProgramPoint, programEvaluator } from "./program/evaluate.js";
export { Expression } from "./program/expression.js";
export type { ProgramForm, ProgramKind, ProgramNode } from "./program/form.js";
export { variablesOf } from "./program/form.js";
export {
  abs,
  add,
  and,
  astype,
  type BoolExpression,
  divide,
  equal,
  exp,
  floor,
  floorDivide,
  greater,
  greaterEqual,
  less,
  lessEqual,
  log,
  maximum,
  minimum,
  multiply,
  type NumberExpression,
  negative,
  not,
  notEqual,
  or,
  remainder,
  sqrt,
  subtract,
  tanh,
  where,
} from "./program/functions.js";
export { type BoxVisibility, type ProgramBox, ProgramIntervals } from "./program/intervals.js";
export type { ProgramSources } from "./program/json.js";
export type { Range } from "./program/line-ranges.js";
export type { BoolOperand, HasBoolExpression, NumberOperand } from "./program/operations.js";
export {
  type MaskVariables,
  maskMod,
  programFromJSON,
  type ScoreVariables,
  scoreMod,
} from "./program/program.js";
export { type MaskProgram, Program, type ScoreProgram } from "./program/program-class.js";
export { Scalar, scalar, Table, type TableData, table } from "./program/sources.js";
export { type Doubles, doubles, mostDoubles } from "./program/tile/doubles.js";
export type { TileClasses } from "./program/tile/row-classes.js";
export { tanhFloat32 } from "./program/tile/tanh.js";
export {
  panelLength,
  TileProgram,
  type TileRows,
  type TileSizes,
} from "./program/tile/tile-program.js";
export type { JsonNumber, ProgramJson, ProgramNodeJson } from "./program/to-json.js";
export {
  type ArithmeticName,
  type ComparisonName,
  type FloatName,
  type LogicName,
  type NumericType,
  type OperationName,
  type ProgramType,
  programLimits,
  type VariableName,
} from "./program/types.js";
export { type ProgramWindow, windowOfProgram } from "./program/window-of.js";
