import {
  type AttentionInputs,
  cast,
  contiguous,
  type FloatDType,
  type HostTensor,
  isContiguous,
  isDeviceTensor,
  reshape,
  transpose,
} from "@heed/core";
import { typeName } from "../cut/extract.js";
import { capInput } from "../match/cap.js";
import type { LogitStep, NumberOf, Operand, WrittenOut } from "../match/form.js";
import {
  asHeads,
  broadcastSizes,
  type CallTensor,
  type Laid,
  type Leading,
  layOut,
  NotInPlace,
  NotThisCall,
  reshapedSizes,
  spreadTo,
  turned,
  withAxes,
} from "./axes.js";
import { interpret, type MaskInputs, type Term } from "./masks.js";
import { hostTensor, numbersOf, type Value } from "./values.js";

/** Query, key and value of a call, and everything else, which is in host memory. */
export interface CallInputs<T extends CallTensor>
  extends Omit<AttentionInputs<HostTensor>, "query" | "key" | "value"> {
  readonly query: T;
  readonly key: T;
  readonly value: T;
}

/** A call of attention, and how its results stand in the graph. */
export interface SiteCall<T extends CallTensor = HostTensor> {
  readonly inputs: CallInputs<T>;
  /** Sizes of what the softmax makes. */
  readonly weightSizes: readonly number[];
  readonly weightDType: FloatDType;
  /** Sizes of the product with the values, before `outputAxes`. */
  readonly outputSizes: readonly number[];
  readonly outputAxes: readonly number[] | null;
  readonly outputDType: FloatDType;
}

type ReadValue = (name: string) => Value;

/** Query, key and value of a graph by the names of its values. */
type ReadOperand<T extends CallTensor> = (name: string) => T;

/** The inputs that the masks of a run were found to stand for: layers share them. */
export type KnownMasks = Map<string, MaskInputs>;

/** Values of a call. */
export interface CallValues<T extends CallTensor> {
  /** Query, key and value. */
  readonly operand: ReadOperand<T>;
  /** Everything else, in host memory. */
  readonly read: ReadValue;
  readonly masks: KnownMasks;
}

/** A value as an operand in host memory. @throws NotThisCall */
export function hostOperand(value: Value): HostTensor {
  const t = hostTensor(value);
  if (!t?.dtype.startsWith("float")) throw new NotThisCall(`an operand is of ${value.type}`);
  return t;
}

/**
 * Attention's inputs from the values of a graph, whose sizes are known now.
 *
 * @param headsHint heads of scores of rank 3, where the graph says them elsewhere
 * @throws NotThisCall
 * @throws NotInPlace for operands on a GPU that cannot be read there
 */
export function siteCall<T extends CallTensor>(
  form: WrittenOut,
  { operand: operandOf, read, masks }: CallValues<T>,
  headsHint: number | null,
): SiteCall<T> {
  const numbers = (name: string): number[] => numbersOf(read(name));
  const operand = (of: Operand): Laid => {
    const t = operandOf(of.value);
    if (t.shape.length < 2) throw new NotThisCall("an operand has no rows");
    return layOut(t, of.steps, numbers);
  };
  const query = operand(form.query);
  const key = flipped(operand(form.key));
  const value = operand(form.value);
  const lead = broadcastSizes(leadOf(query), leadOf(key));
  const [rows, size] = query.sizes.slice(-2) as [number, number];
  const [keys, keySize] = key.sizes.slice(-2) as [number, number];
  const [valueKeys, valueSize] = value.sizes.slice(-2) as [number, number];
  if (size !== keySize || keys !== valueKeys)
    throw new NotThisCall("operands have sizes that do not fit");

  const walked = walk(form.logits, [...lead, rows, keys], read);
  if (form.axis !== -1 && form.axis !== walked.sizes.length - 1) {
    throw new NotThisCall("the softmax is along another axis than the keys");
  }
  let last = walked.sizes;
  for (const step of form.weightSteps) last = reshapedSizes(last, step, numbers);
  const lastLead = last.slice(0, -2);
  const same = broadcastSizes(lastLead, leadOf(value));
  if (same.join() !== lastLead.join())
    throw new NotThisCall("values have more leading axes than weights");

  const leading = leadingOf([lead, walked.sizes.slice(0, -2), lastLead], headsHint);
  const dtype = widest([query, key, value]);
  const heads = (laid: Laid, own: readonly number[]): T =>
    castTo(asHeads(laid.tensor, own, leading), dtype) as T;
  const groups = sameGroups(heads(key, lead), heads(value, lastLead));
  const scale = walked.scale * form.query.factor * form.key.factor;
  return {
    inputs: {
      query: spread(heads(query, lead), leading.heads),
      ...groups,
      scale,
      ...capInput(walked.cap),
      ...said(walked, leading, form.safe, masks),
    },
    weightSizes: walked.sizes,
    weightDType: walked.dtype ?? (query.tensor.dtype as FloatDType),
    outputSizes: [...lastLead, rows, valueSize],
    outputAxes: form.outputAxes,
    outputDType: value.tensor.dtype as FloatDType,
  };
}

/** The inputs that a call's masks stand for. @throws NotThisCall */
function said(
  { terms, sizes }: Walked,
  leading: Leading,
  safe: boolean,
  masks: KnownMasks,
): MaskInputs {
  const [rows, keys] = sizes.slice(-2) as [number, number];
  const what = terms.map(({ value, sizes, term: { tensor: _, ...rest } }) => [value, sizes, rest]);
  const key = JSON.stringify([what, leading, rows, keys, safe], (_, one: unknown) =>
    typeof one === "number" && !Number.isFinite(one) ? String(one) : one,
  );
  let known = masks.get(key);
  if (!known) {
    const own = terms.map((term) => canonical(term, leading));
    known = interpret(own, [leading.batch, leading.heads, rows, keys], safe);
    masks.set(key, known);
  }
  return known;
}

function leadOf({ sizes }: Laid): readonly number[] {
  return sizes.slice(0, -2);
}

function castTo(t: CallTensor, dtype: FloatDType): CallTensor {
  if (t.dtype === dtype) return t;
  if (isDeviceTensor(t)) throw new NotInPlace("the operands have several types");
  return cast(t as HostTensor, dtype);
}

/** The right operand of a product of queries and keys as the keys. */
function flipped({ tensor: t, sizes }: Laid): Laid {
  const rank = sizes.length;
  const axes = [...sizes.keys()].map((axis) =>
    axis === rank - 1 ? rank - 2 : axis === rank - 2 ? rank - 1 : axis,
  );
  return { tensor: turned(t, axes), sizes: axes.map((axis) => sizes[axis] as number) };
}

interface PlacedTerm {
  /** Name of the value that it reads. */
  readonly value: string;
  readonly term: Term;
  /** Sizes of the scores at its place. */
  readonly sizes: readonly number[];
}

interface Walked {
  readonly sizes: readonly number[];
  readonly scale: number;
  readonly cap: number | undefined;
  readonly terms: readonly PlacedTerm[];
  /** The dtype of the logits, where they are cast. */
  readonly dtype: FloatDType | undefined;
}

/** Follows the steps from the product to the softmax with the sizes of the call. */
function walk(steps: readonly LogitStep[], from: readonly number[], read: ReadValue): Walked {
  let sizes = from;
  let factor = 1;
  let inner: number | undefined;
  let terms: PlacedTerm[] = [];
  let dtype: FloatDType | undefined;
  for (const step of steps) {
    switch (step.kind) {
      case "scale": {
        const by = numberIn(step.by, read, "the scale");
        const times = step.divide ? 1 / by : by;
        factor *= times;
        terms = terms.map((one) => ({ ...one, term: scaled(one.term, times) }));
        break;
      }
      case "tanh":
        if (terms.length > 0 || inner !== undefined)
          throw new NotThisCall("a mask comes before tanh");
        inner = factor;
        factor = 1;
        break;
      case "add": {
        const t = termTensor(read(step.value), sizes);
        const term = { kind: "add", tensor: t, factor: step.factor } as const;
        terms.push({ value: step.value, term, sizes });
        break;
      }
      case "where": {
        const fill = numberIn(step.fill, read, "the number of masked scores");
        const t = termTensor(read(step.condition), sizes);
        const term = { kind: "where", tensor: t, keep: step.keep, fill } as const;
        terms.push({ value: step.condition, term, sizes });
        break;
      }
      case "cast":
        dtype = declaredName(step.to);
        break;
      case "atLeast":
        break;
      default:
        sizes = reshapedSizes(sizes, step, (name) => numbersOf(read(name)));
    }
  }
  if (inner === undefined) return { sizes, dtype, scale: factor, cap: undefined, terms };
  if (!(factor > 0)) throw new NotThisCall("tanh is multiplied with no positive number");
  return { sizes, dtype, scale: inner * factor, cap: factor, terms };
}

function declaredName(type: number): FloatDType {
  const name = typeName(type);
  if (name !== "float16" && name !== "float32" && name !== "float64") {
    throw new NotThisCall("logits are cast to a type that Heed lacks");
  }
  return name;
}

function scaled(term: Term, times: number): Term {
  return term.kind === "add"
    ? { ...term, factor: term.factor * times }
    : { ...term, fill: term.fill * times };
}

function numberIn(of: NumberOf, read: ReadValue, name: string): number {
  if (typeof of === "number") return of;
  const list = numbersOf(read(of.value));
  if (list.length !== 1) throw new NotThisCall(`${name} is a tensor of ${list.length} elements`);
  return list[0] as number;
}

/** A tensor that is combined with scores, whose own sizes it may not change. */
function termTensor(value: Value, sizes: readonly number[]): HostTensor {
  const t = hostTensor(value);
  if (!t) throw new NotThisCall(`a mask is of ${value.type}`);
  if (broadcastSizes(t.shape, sizes).join() !== sizes.join()) {
    throw new NotThisCall("a mask has more leading axes than the scores");
  }
  return t;
}

/** A mask with the axes that attention has; those of size 1 stay, where they can. */
function canonical({ term, sizes }: PlacedTerm, leading: Leading): Term {
  const { tensor: t } = term;
  const missing = sizes.length - t.shape.length;
  const padded = withAxes(
    t,
    [...Array<number>(missing).fill(1), ...t.shape],
    [...Array<number>(missing).fill(0), ...t.strides],
  );
  const own = padded.shape.slice(0, -2);
  const last = padded.shape.slice(-2);
  if (own.every((size) => size === 1)) {
    return {
      ...term,
      tensor: withAxes(padded, [1, 1, ...last], [0, 0, ...padded.strides.slice(-2)]),
    };
  }
  if (sizes.length === 4 && sizes[0] === leading.batch && sizes[1] === leading.heads) {
    return { ...term, tensor: padded };
  }
  return { ...term, tensor: asHeads(padded, sizes.slice(0, -2), leading) };
}

/**
 * Batch and heads: the last leading axis is the heads where there are two or more, of the scores or of what is
 * made of them.
 */
function leadingOf(leads: readonly (readonly number[])[], headsHint: number | null): Leading {
  const [first] = leads as readonly [readonly number[]];
  const count = first.reduce((product, size) => product * size, 1);
  for (const lead of leads) {
    if (lead.reduce((product, size) => product * size, 1) !== count) {
      throw new NotThisCall("scores change their number");
    }
  }
  const told = leads.find((lead) => lead.length >= 2);
  const hinted = headsHint !== null && count % headsHint === 0 ? headsHint : 1;
  const heads = told ? (told.at(-1) as number) : first.length === 1 ? hinted : 1;
  return { heads, batch: heads === 0 ? 0 : count / heads };
}

const widths: readonly FloatDType[] = ["float16", "float32", "float64"];

function widest(laid: readonly Laid[]): FloatDType {
  const widest = Math.max(...laid.map(({ tensor: t }) => widths.indexOf(t.dtype as FloatDType)));
  return widths[widest] as FloatDType;
}

/** Keys and values with as many heads as each other. */
function sameGroups<T extends CallTensor>(key: T, value: T): { key: T; value: T } {
  const [k, v] = [key.shape[1] as number, value.shape[1] as number];
  if (k === v) return { key, value };
  if (k !== 1 && v !== 1) throw new NotThisCall("keys and values have different heads");
  return { key: spread(key, Math.max(k, v)), value: spread(value, Math.max(k, v)) };
}

function spread<T extends CallTensor>(t: T, heads: number): T {
  if (t.shape[1] === heads) return t;
  return spreadTo(t, [t.shape[0] as number, heads, ...t.shape.slice(2)]);
}

/** The inverse of {@link outputTensor}: what the graph has as `[batch, heads, queryLength, valueDim]`. */
export function arrangedOutput(value: HostTensor, { inputs, outputAxes }: SiteCall): HostTensor {
  const turned = outputAxes
    ? transpose(
        value,
        outputAxes.map((_, axis) => outputAxes.indexOf(axis)),
      )
    : value;
  const [batch, heads] = inputs.query.shape as [number, number];
  const rows = isContiguous(turned) ? turned : contiguous(turned);
  return reshape(rows, [batch, heads, ...turned.shape.slice(-2)]);
}

/** The product with the values as the graph has it. */
export function outputTensor(
  output: HostTensor,
  call: Omit<SiteCall, "inputs">,
): { tensor: HostTensor; sizes: readonly number[] } {
  const { outputSizes, outputAxes, outputDType } = call;
  const t = cast(output, outputDType);
  if (!outputAxes) return { tensor: t, sizes: outputSizes };
  if (!isContiguous(t)) throw new Error("outputs are row-major");
  const strides = outputSizes.map((_, axis) =>
    outputSizes.slice(axis + 1).reduce((product, size) => product * size, 1),
  );
  const turned = transpose(withAxes(t, outputSizes, strides), outputAxes);
  return { tensor: turned, sizes: turned.shape };
}
