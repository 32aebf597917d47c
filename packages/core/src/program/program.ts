import { describeValue, InvalidInputError } from "../errors.js";
import { type Expression, isExpression, variables } from "./expression.js";
import { formOf, type ProgramForm, type ProgramKind } from "./form.js";
import type { BoolExpression, NumberExpression } from "./functions.js";
import { expressionFromJson, formToJson, type ProgramJson, type ProgramSources } from "./json.js";
import {
  asNumeric,
  type BoolOperand,
  constantOperand,
  expressionOf,
  type NumberOperand,
} from "./operations.js";
import { printProgram } from "./print.js";
import type { Scalar, Table } from "./sources.js";

/**
 * A program on the scores of a call: an expression of the positions of a query and a key, their head
 * and batch. It is immutable; the contents of its tables and the values of its scalars are not part of it.
 */
export class Program<K extends ProgramKind = ProgramKind> {
  readonly #expression: Expression;
  /** The canonical form: plain data, the same object for equal programs. */
  readonly form: ProgramForm<K>;
  /** The tables that the form's slots stand for. */
  readonly tables: readonly Table[];
  /** The scalars that the form's slots stand for. */
  readonly scalars: readonly Scalar[];

  /** @internal Use {@link maskMod} and {@link scoreMod}. */
  constructor(kind: K, expression: Expression) {
    const { form, tables, scalars } = formOf(kind, expression);
    this.#expression = expression;
    this.form = form;
    this.tables = Object.freeze(tables);
    this.scalars = Object.freeze(scalars);
    Object.freeze(this);
  }

  get kind(): K {
    return this.form.kind;
  }

  /** The program's expression, to build others with: bool of a mask, float32 of a score. */
  get expression(): Expression<K extends "mask" ? "bool" : "float32"> {
    return this.#expression as Expression<K extends "mask" ? "bool" : "float32">;
  }

  /** Identifies the program up to the contents of tables and scalars. */
  get key(): string {
    return this.form.key;
  }

  /** Everything but the contents of tables; {@link programFromJSON} reads it. */
  toJSON(): ProgramJson {
    return formToJson(this.form, this.scalars);
  }

  /** The program in Python's notation. */
  toString(): string {
    return printProgram(this.form);
  }

  static is(value: unknown): value is Program {
    return typeof value === "object" && value !== null && #expression in value;
  }
}

/** A program that says which keys a query sees. */
export type MaskProgram = Program<"mask">;
/** A program that gives each score a new value. */
export type ScoreProgram = Program<"score">;

/** Whether a value is a program of this copy of the module. Never throws. */
export function isProgram<K extends ProgramKind>(value: unknown, kind: K): value is Program<K> {
  return Program.is(value) && value.kind === kind;
}

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
  /** The logit after scale, softcap, bias and ALiBi; float32. */
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
  if (expression?.type === "bool") return new Program("mask", expression);
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
  if (typeof result === "number") return new Program("score", asNumeric(result, "float32"));
  if (isExpression(result) && (result as Expression).type !== "bool") {
    return new Program("score", asNumeric(result as NumberExpression, "float32"));
  }
  throw new InvalidInputError("scoreMod", "an expression of type float32", describeResult(result));
}

function built<V, R>(argument: string, build: R | ((variables: V) => R), given: V): R {
  if (typeof build !== "function") return build;
  try {
    return (build as (variables: V) => R)(given);
  } catch (error) {
    if (error instanceof InvalidInputError) throw error;
    const actual = `one that throws: ${describeValue(error)}`;
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
