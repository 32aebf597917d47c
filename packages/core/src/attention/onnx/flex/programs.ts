import { InvalidInputError } from "../../../errors.js";
import { variables } from "../../../program/expression.js";
import { type BoolExpression, type NumberExpression, where } from "../../../program/functions.js";
import { maskMod, scoreMod } from "../../../program/program.js";
import type { MaskProgram, ScoreProgram } from "../../../program/program-class.js";
import { evaluateGraph } from "./graph.js";
import type { OnnxFlexAttentionAttributes } from "./inputs.js";
import { SymbolicTensor } from "./symbolic-tensor.js";

/** Sizes of the scores of a call: `[batch, q_heads, q_length, kv_length]`. */
export type ScoresShape = readonly [number, number, number, number];

const { batch, head, queryIndex, keyIndex, score } = variables;
const indices = [batch, head, queryIndex, keyIndex] as readonly NumberExpression[];
const scalar = (value: NumberExpression, hasScores = false): SymbolicTensor =>
  new SymbolicTensor(value.type, [], hasScores, () => value);
const scalars = indices.map((index) => scalar(index));

/** Scores, or weights, as a graph's input: each of them at its own place. */
function scoresOf(shape: ScoresShape): SymbolicTensor {
  return new SymbolicTensor("float32", shape, true, () => score);
}

/** A graph over scores, one of which is given for each element of the result. */
function applied(
  argument: string,
  graph: unknown,
  scores: SymbolicTensor,
  inputsOfOne: readonly SymbolicTensor[],
): SymbolicTensor {
  const given = { 1: [scores], [inputsOfOne.length]: inputsOfOne };
  const result = evaluateGraph(argument, graph, given);
  // Masks broadcast; scores have their own shape, or a graph of a single score gives a single number.
  const fits =
    result.type === "bool"
      ? broadcasts(result.shape, scores.shape)
      : result.shape.join() === scores.shape.join();
  const isOne = !fits && result.size === 1 && result.shape.length <= 1;
  if (!fits && !isOne) {
    const expected = `shape [${scores.shape.join(", ")}], as the scores, or a scalar`;
    throw new InvalidInputError(`${argument}.outputs[0]`, expected, `[${result.shape.join(", ")}]`);
  }
  const { type, hasScores } = result;
  return new SymbolicTensor(type, scores.shape, hasScores, () => result.broadcastAt(indices));
}

function broadcasts(from: readonly number[], to: readonly number[]): boolean {
  const first = to.length - from.length;
  return first >= 0 && from.every((size, axis) => size === 1 || size === to[first + axis]);
}

/** The value that a graph gives for the score at a query and a key. */
function elementOf(tensor: SymbolicTensor): NumberExpression {
  return tensor.at(indices) as NumberExpression;
}

function applyToScores(argument: string, graph: unknown, scores: SymbolicTensor): SymbolicTensor {
  const one = scalar(elementOf(scores), true);
  const result = applied(argument, graph, scores, [one, ...scalars]);
  if (result.type === "float32") return result;
  throw new InvalidInputError(`${argument}.outputs[0]`, "floats", result.type);
}

/**
 * The programs of score_mod and mask_mod.
 *
 * @throws InvalidInputError naming the graph, the member or the node
 */
export function programsOf(
  { score_mod, mask_mod }: OnnxFlexAttentionAttributes,
  shape: ScoresShape,
): { readonly scoreMod?: ScoreProgram; readonly maskMod?: MaskProgram } {
  const given = scoresOf(shape);
  let scores = score_mod === undefined ? given : applyToScores("score_mod", score_mod, given);
  let visible: MaskProgram | undefined;
  if (mask_mod !== undefined) {
    const masked = applied("mask_mod", mask_mod, scores, scalars);
    const element: unknown = elementOf(masked);
    if (masked.type === "bool" && !masked.hasScores) visible = maskMod(element as BoolExpression);
    else if (masked.type === "bool") scores = hiding(scores, element as BoolExpression);
    else if (masked.type === "float32") scores = masked;
    else throw new InvalidInputError("mask_mod.outputs[0]", "bools or scores", masked.type);
  }
  return {
    ...(scores !== given && { scoreMod: scoreMod(elementOf(scores)) }),
    ...(visible && { maskMod: visible }),
  };
}

/** A mask that depends on scores is a part of the score program: a score of −∞ hides its key. */
function hiding(scores: SymbolicTensor, visible: BoolExpression): SymbolicTensor {
  return new SymbolicTensor("float32", scores.shape, true, () =>
    where(visible, elementOf(scores), Number.NEGATIVE_INFINITY),
  );
}

/** prob_mod as a program of a weight. @throws InvalidInputError as {@link programsOf} */
export function weightProgram(graph: unknown, shape: ScoresShape): ScoreProgram {
  return scoreMod(elementOf(applyToScores("prob_mod", graph, scoresOf(shape))));
}
