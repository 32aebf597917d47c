import { isFloatType } from "../graph/constant.js";
import type { Folder } from "../graph/fold.js";
import type { GraphNode, ModelGraph } from "../graph/graph.js";
import type { Sizes } from "../graph/sizes.js";
import { type Product, readProduct } from "./einsum.js";
import type { FoundSite, LogitStep, NotUnderstood, NumberOf, Operand, ShapeStep } from "./form.js";
import { readLogits, readShapeStep } from "./logits.js";
import { readOperand } from "./operand.js";

/** Recognises attention around a softmax. */
export function readSoftmax(
  graph: ModelGraph,
  folder: Folder,
  sizes: Sizes,
  softmax: GraphNode,
): FoundSite | NotUnderstood {
  const name = softmax.name || (softmax.outputs[0] as string);
  const left = (reason: string): NotUnderstood => ({ name, operator: "Softmax", reason });
  const axis = softmax.integer("axis") ?? (graph.opset < 13 ? 1 : -1);
  const rank = sizes.of(softmax.inputs[0])?.length;
  if (axis < -1 || (axis >= 0 && rank !== undefined && axis !== rank - 1)) {
    return left("it is along another axis than the last");
  }
  const spelling: string[] = [];
  const logits = readLogits(graph, folder, softmax.inputs[0] as string, spelling);
  if (typeof logits === "string") return left(logits);
  if (logits.product.axes) {
    return left("the product of queries and keys has its axes in an order of its own");
  }
  const weights = readWeights(graph, folder, softmax, spelling);
  if (typeof weights === "string") return left(weights);
  const query = readOperand(
    graph,
    folder,
    logits.product.left,
    spelling,
    "query",
    logits.product.leftSteps,
  );
  const key = readOperand(
    graph,
    folder,
    logits.product.right,
    spelling,
    "key",
    logits.product.rightSteps,
  );
  const value = readOperand(
    graph,
    folder,
    weights.product.right,
    spelling,
    "value",
    weights.product.rightSteps,
  );
  if (isStored(graph, key) && isStored(graph, value)) {
    return left("its keys and values are weights of the model: a layer, and no attention");
  }
  const form = {
    kind: "written-out" as const,
    softmax,
    axis,
    query,
    key,
    value,
    logits: logits.steps,
    weightSteps: weights.steps,
    safe: weights.safe,
    outputAxes: weights.product.axes,
  };
  return {
    name,
    form,
    inputs: [
      ...new Set([
        ...[query, key, value].flatMap(valuesOfOperand),
        ...logits.steps.flatMap(valuesOfStep),
        ...weights.steps.flatMap(valuesOfStep),
      ]),
    ],
    output: weights.node.outputs[0] as string,
    weights: softmax.outputs[0] as string,
    further: [],
    spelling,
  };
}

function isStored(graph: ModelGraph, { value }: Operand): boolean {
  return graph.isWeight(value) || graph.producer(value)?.operator === "Constant";
}

function valuesOfOperand({ value, steps }: Operand): string[] {
  const shapes = steps.flatMap((step) =>
    step.kind === "repeat" && typeof step.shape === "string" ? [step.shape] : [],
  );
  return [value, ...shapes];
}

function valuesOfStep(step: LogitStep): string[] {
  const named = (of: NumberOf): string[] => (typeof of === "number" ? [] : [of.value]);
  switch (step.kind) {
    case "scale":
      return named(step.by);
    case "add":
      return [step.value];
    case "where":
      return [step.condition, ...named(step.fill)];
    case "reshape":
      return [step.shape];
    default:
      return [];
  }
}

interface ReadWeights {
  readonly product: Product;
  readonly node: GraphNode;
  /** The value that is multiplied with the values. */
  readonly value: string;
  readonly steps: readonly ShapeStep[];
  readonly safe: boolean;
}

/** From the softmax to the product with the values; the first one that there is. */
function readWeights(
  graph: ModelGraph,
  folder: Folder,
  softmax: GraphNode,
  spelling: string[],
): ReadWeights | string {
  interface At {
    readonly value: string;
    readonly steps: readonly ShapeStep[];
    readonly safe: boolean;
  }
  const waiting: At[] = [{ value: softmax.outputs[0] as string, steps: [], safe: false }];
  let reason = "its result is no factor of a product";
  for (let at = waiting.shift(); at; at = waiting.shift()) {
    for (const node of graph.readers(at.value)) {
      const product = readProduct(node);
      if (product && typeof product !== "string" && product.left === at.value) {
        if (product.leftSteps.length > 0) {
          reason = "the product with the values has its axes in an order of its own";
          continue;
        }
        if (node.operator === "Einsum") spelling.push("product with the values by Einsum");
        return { product, node, ...at };
      }
      const value = node.outputs[0] as string;
      if (passes(folder, node)) waiting.push({ ...at, value });
      else if (isSafeWhere(graph, folder, node, at.value))
        waiting.push({ ...at, value, safe: true });
      else if (node.inputs[0] === at.value) {
        const step = readShapeStep(folder, node);
        if (step) waiting.push({ ...at, value, steps: [...at.steps, step] });
      }
    }
  }
  return reason;
}

function passes(folder: Folder, node: GraphNode): boolean {
  if (node.operator === "Cast") return isFloatType(node.integer("to") ?? 0);
  if (node.operator === "Dropout") return !node.inputs[2] || folder.number(node.inputs[2]) === 0;
  return node.operator === "Identity";
}

/** `Where(IsNaN(weights), 0, weights)`: rows that see no key have no weights. */
function isSafeWhere(graph: ModelGraph, folder: Folder, node: GraphNode, weights: string): boolean {
  if (node.operator !== "Where" || node.inputs[2] !== weights) return false;
  const test = graph.made(node.inputs[0], "IsNaN");
  return test?.inputs[0] === weights && folder.number(node.inputs[1]) === 0;
}
