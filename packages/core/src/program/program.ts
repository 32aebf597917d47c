import { describeThrown, describeValue, InvalidInputError } from "../errors.js";
import { type Expression, isExpression, variables } from "./expression.js";
import { formOf } from "./form.js";
import type { BoolExpression, NumberExpression } from "./functions.js";
import { expressionFromJson, type ProgramSources } from "./json.js";
import {
  asNumeric,
  type BoolOperand,
  constantOperand,
  expressionOf,
  type NumberOperand,
} from "./operations.js";
import { type MaskProgram, Program, type ScoreProgram } from "./program-class.js";

/** The variables of a mask program; all int32. */
export interface MaskVariables {
  /** The batch entry; in a ragged batch the sequence. */
  readonly batch: NumberExpression;
  /** The query head. */
  readonly head: NumberExpression;
  /** Position of the query, as causal and window see it: its index plus `queryOffset`, or given as data. */
  readonly query: NumberExpression;
  /** Position of the key: its index, or given as data. */
  readonly key: NumberExpression;
  /** Index of the query row. */
  readonly queryIndex: NumberExpression;
  /** Index of the key. */
  readonly keyIndex: NumberExpression;
}

/** The variables of a score program. */
export interface ScoreVariables extends MaskVariables {
  /** The logit after scale, cap, bias and ALiBi; float32. */
  readonly score: NumberExpression;
}

const { score: _, ...maskVariables } = variables;

/**
 * A program that says which keys a query sees (FlexAttention's mask_mod, arXiv:2412.05496):
 *
 * ```ts
 * const causal = maskMod(({ query, key }) => lessEqual(key, query));
 * ```
 *
 * @param build gets the variables and returns a bool expression; called once, here. Or the expression.
 * @throws InvalidInputError for anything else than a bool, and for a program beyond the limits
 */
export function maskMod(
  build: BoolOperand | ((variables: MaskVariables) => BoolOperand),
): MaskProgram {
  const result = built("maskMod", build, maskVariables as unknown as MaskVariables);
  const expression = expressionOf(result) ?? constantOperand(result);
  if (expression?.type === "bool") return new Program(expression, formOf("mask", expression));
  throw new InvalidInputError("maskMod", "an expression of type bool", describeResult(result));
}

/**
 * A program that gives each score a new value (FlexAttention's score_mod): after the bias and ALiBi, before
 * anything is hidden. A score of −∞ hides the key.
 *
 * @param build gets the variables and returns a float32 expression, or one of int32, which is converted;
 *   called once, here. Or the expression.
 * @throws InvalidInputError for anything else than a number, and for a program beyond the limits
 */
export function scoreMod(
  build: NumberOperand | ((variables: ScoreVariables) => NumberOperand),
): ScoreProgram {
  const result = built("scoreMod", build, variables as unknown as ScoreVariables);
  if (typeof result === "number") return score(result);
  if (isExpression(result) && (result as Expression).type !== "bool") {
    return score(result as NumberExpression);
  }
  throw new InvalidInputError("scoreMod", "an expression of type float32", describeResult(result));
}

function score(result: NumberOperand): ScoreProgram {
  const expression = asNumeric(result, "float32");
  return new Program(expression, formOf("score", expression));
}

function built<V, R>(argument: string, build: R | ((variables: V) => R), given: V): R {
  if (typeof build !== "function") return build;
  try {
    return (build as (variables: V) => R)(given);
  } catch (error) {
    if (error instanceof InvalidInputError) throw error;
    const actual = `one that throws: ${describeThrown(error)}`;
    throw new InvalidInputError(argument, "a function that returns an expression", actual, {
      cause: error,
    });
  }
}

function describeResult(result: unknown): string {
  const expression = expressionOf(result);
  return expression ? `one of type ${expression.type}` : describeValue(result);
}

/**
 * The program of a JSON value that `toJSON` gave, which is checked in full.
 *
 * @param json the value itself, not its text
 * @param sources the program's tables, and its scalars unless the values in the JSON are to be used
 * @throws InvalidInputError naming the member at fault
 */
export function programFromJSON(
  json: unknown,
  sources?: ProgramSources,
): MaskProgram | ScoreProgram {
  const { kind, expression } = expressionFromJson(json, sources);
  return kind === "mask"
    ? maskMod(expression as BoolExpression)
    : scoreMod(expression as NumberExpression);
}
