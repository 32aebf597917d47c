import type { ValueType } from "./cut/extract.js";
import type { Folder } from "./graph/fold.js";
import type { ModelGraph } from "./graph/graph.js";
import type { Sizes } from "./graph/sizes.js";
import { capOfOperator, capOfSteps } from "./match/cap.js";
import type { FoundSite, LayoutStep, Operand, OperatorForm, WrittenOut } from "./match/form.js";
import { kindOf } from "./match/source.js";
import type { Site } from "./site.js";

type Size = number | string | null;

interface Description {
  readonly graph: ModelGraph;
  readonly folder: Folder;
  readonly sizes: Sizes;
  readonly typeOf: (value: string) => ValueType;
  /** Heads of scores of rank 3. */
  readonly heads: number | null;
}

/** Properties of a site that are known before any call. */
export function describeSite(site: FoundSite, about: Description): Site {
  const { name, spelling, form } = site;
  return form.kind === "written-out"
    ? { name, operator: "MatMul–Softmax–MatMul", spelling, ...writtenOut(form, about) }
    : { name, operator: form.node.operator, spelling, ...byOperator(form, about) };
}

type Facts = Omit<Site, "name" | "operator" | "spelling">;

function writtenOut(form: WrittenOut, about: Description): Facts {
  const { graph } = about;
  const sizes = (operand: Operand): Size[] => laidOut(dimsOf(about, operand.value), operand.steps);
  const [query, key, value] = [sizes(form.query), sizes(form.key), sizes(form.value)];
  const merged = query.length === 3;
  const scales = form.logits.filter((step) => step.kind === "scale");
  let scale: number | null = form.query.factor * form.key.factor;
  for (const { by, divide } of scales) {
    scale = scale === null || typeof by !== "number" ? null : divide ? scale / by : scale * by;
  }
  const masks = form.logits.filter(({ kind }) => kind === "add" || kind === "where");
  const heads = merged ? about.heads : numberOf(query.at(-3));
  const numberOfKeys = form.key.steps.find((step) => step.kind === "repeat");
  return {
    heads,
    kvHeads: numberOfKeys || !merged ? numberOf(dimsBefore(key)) : heads,
    headDim: numberOf(query.at(-1)),
    valueDim: numberOf(value.at(-1)),
    batch: merged ? null : (query[0] ?? null),
    queryLength: query.at(-2) ?? null,
    keyLength: key.at(-1) ?? null,
    scale,
    ...capOfSteps(form.logits),
    mask: [
      ...new Set(masks.map(({ kind }) => (kind === "add" ? "bias" : "condition"))),
    ] as Site["mask"],
    causal: masks.length === 0 ? false : causalOf(form, about),
    kind: kindOf(graph, form.query.value, form.key.value),
  };
}

/** Heads of keys, which stand before the last two axes. */
function dimsBefore(sizes: readonly Size[]): Size {
  return sizes.length >= 4 ? (sizes.at(-3) ?? null) : 1;
}

/** Whether a mask that the file holds is a triangle; null where a call makes the mask. */
function causalOf({ logits }: WrittenOut, { folder }: Description): boolean | null {
  let known = true;
  for (const step of logits) {
    if (step.kind !== "add" && step.kind !== "where") continue;
    const found = folder.constant(step.kind === "add" ? step.value : step.condition);
    if (!found) {
      known = false;
      continue;
    }
    const hidden = (one: number): boolean =>
      step.kind === "add" ? one * step.factor < -9_000 : (one !== 0) !== step.keep;
    if (isTriangle(found.dims, Array.from(found.data, hidden))) return true;
  }
  return known ? false : null;
}

function isTriangle(dims: readonly number[], hidden: readonly boolean[]): boolean {
  const [rows, keys] = dims.slice(-2) as [number, number];
  if (dims.length < 2 || rows * keys !== hidden.length || keys < 2) return false;
  return hidden.every((one, at) => one === at % keys > Math.floor(at / keys) + keys - rows);
}

function byOperator({ node, operator }: OperatorForm, about: Description): Facts {
  const inputs = new Map(node.inputs.map((name, at) => [at, name]));
  const has = (at: number): boolean => (inputs.get(at) ?? "") !== "";
  const query = dimsOf(about, node.inputs[0] as string);
  const key = dimsOf(about, node.inputs[1] ?? "");
  const heads =
    node.integer("num_heads") ?? node.integer("q_num_heads") ?? numberOf(query.at(-3)) ?? null;
  const kvHeads = node.integer("kv_num_heads") ?? (key.length === 4 ? numberOf(key.at(-3)) : heads);
  const width = numberOf(query.at(-1));
  const packed = operator === "PackedAttention" || !has(1);
  const four = query.length === 4;
  const scale = node.float("scale");
  const causalName = operator === "Attention" ? "is_causal" : "unidirectional";
  const masks: Record<
    OperatorForm["operator"],
    readonly (readonly [number, Site["mask"][number]])[]
  > = {
    Attention: [
      [3, "bias"],
      [6, "lengths"],
    ],
    MultiHeadAttention: [
      [4, "padding"],
      [5, "bias"],
    ],
    GroupQueryAttention: [
      [5, "lengths"],
      [10, "bias"],
    ],
    PackedAttention: [
      [3, "padding"],
      [5, "bias"],
    ],
  };
  return {
    heads,
    kvHeads,
    headDim: packed || width === null || heads === null ? null : four ? width : width / heads,
    valueDim: null,
    batch: query[0] ?? null,
    queryLength: query.at(-2) ?? null,
    keyLength: packed ? (query.at(-2) ?? null) : (key.at(-2) ?? null),
    scale: scale === undefined || scale === 0 ? null : scale,
    ...capOfOperator(node),
    mask: masks[operator].flatMap(([at, kind]) => (has(at) ? [kind] : [])),
    causal: operator === "GroupQueryAttention" || node.integer(causalName) === 1,
    kind: packed ? "self" : kindOf(about.graph, node.inputs[0] as string, node.inputs[1] as string),
  };
}

function numberOf(size: Size | undefined): number | null {
  return typeof size === "number" ? size : null;
}

/** Sizes by the runtime's names for them where it knows any, and by the file where it does not. */
function dimsOf({ typeOf, sizes }: Description, value: string): Size[] {
  const told = sizes.of(value);
  const dims = typeOf(value).dims ?? told ?? [];
  return dims.map((size, axis) => {
    if (typeof size === "number" && size >= 0) return size;
    const own = told?.[axis] ?? Number.NaN;
    return own >= 0 ? own : typeof size === "string" && size !== "" ? size : null;
  });
}

function laidOut(dims: readonly Size[], steps: readonly LayoutStep[]): Size[] {
  let sizes = [...dims];
  if (sizes.length === 0) return sizes;
  for (const step of steps) {
    if (step.kind === "transpose") sizes = step.axes.map((axis) => sizes[axis] ?? null);
    if (step.kind === "unsqueeze") sizes.splice(step.axis, 0, 1);
  }
  return sizes;
}
