import { isFloatType } from "../graph/constant.js";
import type { Folder } from "../graph/fold.js";
import type { GraphNode, ModelGraph } from "../graph/graph.js";
import { type Product, readProduct } from "./einsum.js";
import type { LogitStep, NumberOf, ShapeStep } from "./form.js";
import { factorOf } from "./operand.js";

/** The product of queries and keys, and every step from it to the softmax. */
export interface ReadLogits {
  readonly product: Product;
  readonly node: GraphNode;
  readonly steps: readonly LogitStep[];
}

/** From how much a fill is lower than any logit: fills above it are values like any other. */
export const hidingFill = -9_000;

/** Steps that are looked at between a product and its softmax. */
const deepest = 24;

/** @returns the reason where it is no attention that is understood */
export function readLogits(
  graph: ModelGraph,
  folder: Folder,
  logits: string,
  spelling: string[],
): ReadLogits | string {
  const found = follow(graph, folder, logits, 0);
  if (typeof found === "string") return found;
  for (const step of found.steps) {
    const words = describe(step);
    if (words && !spelling.includes(words)) spelling.push(words);
  }
  if (found.node.operator === "Einsum") spelling.push("product of query and key by Einsum");
  return found;
}

function describe(step: LogitStep): string {
  switch (step.kind) {
    case "scale":
      return `scale by ${step.divide ? "Div" : "Mul"} after the product`;
    case "add":
      return step.factor === 1 ? "mask by Add" : "mask by Sub";
    case "where":
      return "mask by Where";
    case "tanh":
      return "capped by Tanh";
    case "reshape":
    case "unsqueeze":
    case "squeeze":
      return "leading axes changed between product and softmax";
    default:
      return "";
  }
}

function follow(
  graph: ModelGraph,
  folder: Folder,
  value: string,
  depth: number,
): ReadLogits | string {
  const node = graph.producer(value);
  if (!node || depth > deepest) return "its logits are no product of two tensors";
  const product = readProduct(node);
  if (typeof product === "string") return product;
  if (product) return { product, node, steps: [] };
  const candidates = stepsBefore(folder, node);
  if (candidates.length === 0) {
    return `its logits come from ${node.operator}, which is no step of attention that is understood`;
  }
  let reason = "";
  for (const { value: before, step } of candidates) {
    const found = follow(graph, folder, before, depth + 1);
    if (typeof found !== "string") {
      return step ? { ...found, steps: [...found.steps, step] } : found;
    }
    reason ||= found;
  }
  const fill = node.operator === "Where" && mildFill(folder, node);
  return typeof fill === "number" ? `masked scores become ${fill}, which hides nothing` : reason;
}

/** A number that a Where puts in the place of scores, if it is one beside which scores still count. */
function mildFill(folder: Folder, { inputs }: GraphNode): number | undefined {
  return [inputs[1], inputs[2]]
    .map((name) => folder.number(name))
    .find((fill) => fill !== undefined && fill > hidingFill);
}

interface Candidate {
  readonly value: string;
  readonly step?: LogitStep;
}

/** For each operand that the scores may come from, what the node does to them. */
function stepsBefore(folder: Folder, node: GraphNode): Candidate[] {
  const [a, b, c] = node.inputs as [string, string, string];
  switch (node.operator) {
    case "Identity":
    case "Dropout":
      return [{ value: a }];
    case "Cast": {
      const to = node.integer("to") ?? 0;
      return isFloatType(to) ? [{ value: a, step: { kind: "cast", to } }] : [];
    }
    case "Tanh":
      return [{ value: a, step: { kind: "tanh" } }];
    case "Mul":
      return [
        { value: a, step: { kind: "scale", by: numberOf(folder, b), divide: false } },
        { value: b, step: { kind: "scale", by: numberOf(folder, a), divide: false } },
      ];
    case "Div":
      return [{ value: a, step: { kind: "scale", by: numberOf(folder, b), divide: true } }];
    case "Add":
      return [
        { value: a, step: { kind: "add", value: b, factor: 1 } },
        { value: b, step: { kind: "add", value: a, factor: 1 } },
      ];
    case "Sub":
      return [{ value: a, step: { kind: "add", value: b, factor: -1 } }];
    case "Where":
      return [
        { value: b, step: { kind: "where", condition: a, keep: true, fill: numberOf(folder, c) } },
        { value: c, step: { kind: "where", condition: a, keep: false, fill: numberOf(folder, b) } },
      ].filter(
        ({ step }) => typeof step.fill !== "number" || step.fill <= hidingFill,
      ) as Candidate[];
    case "Max":
      return atLeast(folder, node);
    default: {
      const step = readShapeStep(folder, node);
      return step ? [{ value: a, step }] : [];
    }
  }
}

/** `max(scores, lowest number)`, which only turns −∞ into the lowest number. */
function atLeast(folder: Folder, { inputs }: GraphNode): Candidate[] {
  if (inputs.length !== 2) return [];
  return inputs.flatMap((value, at) => {
    const limit = folder.number(inputs[1 - at]);
    return limit !== undefined && limit < -1e30
      ? [{ value, step: { kind: "atLeast", limit } }]
      : [];
  });
}

function numberOf(folder: Folder, value: string): NumberOf {
  return factorOf(folder, value) ?? folder.number(value) ?? { value };
}

/** A change of shape, of whatever axes: that rows and columns stay is checked with the sizes of a call. */
export function readShapeStep(folder: Folder, node: GraphNode): ShapeStep | undefined {
  if (node.operator === "Reshape") {
    const shape = node.inputs[1] as string;
    return { kind: "reshape", shape, allowZero: node.integer("allowzero") === 1 };
  }
  if (node.operator !== "Unsqueeze" && node.operator !== "Squeeze") return undefined;
  const axes = node.integers("axes") ?? folder.integers(node.inputs[1]);
  return axes && { kind: node.operator === "Unsqueeze" ? "unsqueeze" : "squeeze", axes };
}
