import { type AttentionInputs, type HostTensor, tensor, toFloat64 } from "@heed/core";
import { NotThisCall } from "./axes.js";

/** The tensor added between scores and softmax, as `[batch or 1, heads or 1, rows or 1, keys or 1]`. */
export type Term =
  | { readonly kind: "add"; readonly tensor: HostTensor; readonly factor: number }
  /** Scores become `fill` where the condition, of bool, is not `keep`. */
  | {
      readonly kind: "where";
      readonly tensor: HostTensor;
      readonly keep: boolean;
      readonly fill: number;
    };

export type MaskInputs = Pick<
  AttentionInputs<HostTensor>,
  "mask" | "bias" | "causal" | "queryOffset" | "kvLengths"
>;

/** Sizes of the scores. */
export type ScoreSizes = readonly [batch: number, heads: number, rows: number, keys: number];

/** Added to a score, this much leaves a weight of 0 beside a score to which little is added. */
const hides = -9_000;
/** Numbers that are added to scores and hide none of them. */
const modest = 4_000;

/**
 * Says with Heed's words what a graph does between scores and softmax: whatever hides keys becomes causality,
 * lengths or a mask where that is exactly the same, and stays a bias otherwise.
 *
 * @param safe whether a row without visible keys has weights of 0; else it is left to the runtime
 * @throws NotThisCall
 */
export function interpret(terms: readonly Term[], sizes: ScoreSizes, safe: boolean): MaskInputs {
  const masks: Mask[] = [];
  const biases: Bias[] = [];
  for (const term of terms) {
    const read = term.kind === "where" ? readCondition(term) : readAddend(term);
    if ("visible" in read) masks.push(read);
    else biases.push(read);
  }
  checkRows(biases, sizes, safe);
  if (masks.length === 0) return biasInputs(biases, sizes);
  const hidden = combine(masks);
  const emptyRow = rowsWithoutKeys(hidden, biases, sizes);
  if (emptyRow && !(safe && masks.every(({ infinite }) => infinite) && biases.length === 0)) {
    const same = masks.length === 1 && biases.length === 0 ? masks[0]?.addend : undefined;
    if (same) return biasInputs([same], sizes);
    throw new NotThisCall("a row sees no key, and its result is the runtime's own");
  }
  return { ...biasInputs(biases, sizes), ...maskInputs(masks, hidden, sizes) };
}

interface Mask {
  readonly shape: ScoreSizes;
  /** 1 where a key is seen. */
  readonly visible: Uint8Array;
  /** Whether what it hides is −∞. */
  readonly infinite: boolean;
  /** The same as a bias, where it was one whose numbers are so large that rows which see nothing are even. */
  readonly addend?: Bias;
}

interface Bias {
  readonly shape: ScoreSizes;
  readonly values: Float64Array;
  readonly largest: number;
}

function shapeOf(t: HostTensor): ScoreSizes {
  return t.shape as unknown as ScoreSizes;
}

function readCondition({ tensor: t, keep, fill }: Extract<Term, { kind: "where" }>): Mask {
  if (!(fill <= hides)) throw new NotThisCall(`masked scores become ${fill}, which hides nothing`);
  const visible = Uint8Array.from(toFloat64(t), (one) => ((one !== 0) === keep ? 1 : 0));
  return { shape: shapeOf(t), visible, infinite: fill === Number.NEGATIVE_INFINITY };
}

function readAddend({ tensor: t, factor }: Extract<Term, { kind: "add" }>): Mask | Bias {
  const values = toFloat64(t) as Float64Array;
  let largest = 0;
  let binary = true;
  let lowest = 0;
  let infinite = true;
  for (let i = 0; i < values.length; i++) {
    const value = (values[i] as number) * factor;
    values[i] = value;
    if (Number.isNaN(value)) throw new NotThisCall("NaN is added to scores");
    if (value === 0) continue;
    if (value <= hides) {
      if (value !== Number.NEGATIVE_INFINITY) infinite = false;
      if (value < lowest) lowest = value;
    } else {
      binary = false;
      largest = Math.max(largest, Math.abs(value));
    }
  }
  const shape = shapeOf(t);
  const bias = { shape, values, largest };
  // Small numbers beside those that hide are a bias that hides, too: −∞ and numbers near it do so by themselves.
  if (!binary || lowest === 0) return bias;
  const visible = Uint8Array.from(values, (value) => (value === 0 ? 1 : 0));
  const even = lowest !== Number.NEGATIVE_INFINITY && lowest < -1e30;
  return { shape, visible, infinite, ...(even && { addend: bias }) };
}

function combine(masks: readonly Mask[]): Mask {
  const [first, ...others] = masks as readonly [Mask, ...Mask[]];
  if (others.length === 0) return first;
  const shape = [0, 1, 2, 3].map((axis) =>
    Math.max(...masks.map((mask) => mask.shape[axis] as number)),
  ) as unknown as ScoreSizes;
  const count = shape.reduce((product, size) => product * size, 1);
  const visible = new Uint8Array(count).fill(1);
  for (const mask of masks) {
    const at = indexer(mask.shape);
    forEachRow(shape, (b, h, i, start) => {
      for (let j = 0; j < shape[3]; j++)
        visible[start + j] &= mask.visible[at(b, h, i, j)] as number;
    });
  }
  return { shape, visible, infinite: masks.every(({ infinite }) => infinite) };
}

/** Place of an element in a tensor whose axes of 1 repeat. */
function indexer([b1, h1, i1, j1]: ScoreSizes): (
  b: number,
  h: number,
  i: number,
  j: number,
) => number {
  const [sj, si, sh, sb] = [
    j1 === 1 ? 0 : 1,
    i1 === 1 ? 0 : j1,
    h1 === 1 ? 0 : i1 * j1,
    b1 === 1 ? 0 : h1 * i1 * j1,
  ];
  return (b, h, i, j) => b * sb + h * sh + i * si + j * sj;
}

function forEachRow(
  [batch, heads, rows, keys]: ScoreSizes,
  visit: (b: number, h: number, i: number, start: number) => void,
): void {
  let start = 0;
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < heads; h++) {
      for (let i = 0; i < rows; i++, start += keys) visit(b, h, i, start);
    }
  }
}

/** Whether there is a row in which all keys that the masks leave have a bias that may hide them as well. */
function rowsWithoutKeys(mask: Mask, biases: readonly Bias[], sizes: ScoreSizes): boolean {
  const hiding = biases.filter(({ values }) => values.some((value) => value < -modest));
  const shapes = [mask, ...hiding].map(({ shape }) => shape);
  const joint = [0, 1, 2].map((axis) => Math.max(...shapes.map((shape) => shape[axis] as number)));
  const at = indexer(mask.shape);
  const others = hiding.map(({ shape, values }) => ({ at: indexer(shape), values }));
  let found = false;
  forEachRow([...joint, sizes[3]] as unknown as ScoreSizes, (b, h, i) => {
    if (found) return;
    for (let j = 0; j < sizes[3]; j++) {
      if (mask.visible[at(b, h, i, j)] === 0) continue;
      if (others.every((one) => (one.values[one.at(b, h, i, j)] as number) >= -modest)) return;
    }
    found = true;
  });
  return found;
}

/**
 * Refuses rows that a bias hides wholly, where the result is not the same everywhere: NaN with −∞, and with large
 * numbers whatever rounding leaves of the scores.
 */
function checkRows(biases: readonly Bias[], sizes: ScoreSizes, safe: boolean): void {
  for (const { shape, values } of biases) {
    if (!values.some((value) => value < -1e5)) continue;
    const at = indexer(shape);
    forEachRow([shape[0], shape[1], shape[2], sizes[3]], (b, h, i) => {
      let best = Number.NEGATIVE_INFINITY;
      for (let j = 0; j < shape[3]; j++) best = Math.max(best, values[at(b, h, i, j)] as number);
      const uneven = best < -1e5 && best > -1e30;
      const empty = best === Number.NEGATIVE_INFINITY && !safe;
      if (uneven || empty)
        throw new NotThisCall("a row sees no key, and its result is the runtime's own");
    });
  }
}

function biasInputs(biases: readonly Bias[], sizes: ScoreSizes): MaskInputs {
  const [first, ...others] = biases;
  if (!first) return {};
  if (others.length === 0) {
    return first.values.every((value) => value === 0)
      ? {}
      : { bias: tensor(Float32Array.from(first.values), first.shape) };
  }
  const shape = [0, 1, 2, 3].map((axis) =>
    biases.some((one) => one.shape[axis] !== 1) ? sizes[axis] : 1,
  ) as unknown as ScoreSizes;
  const sum = new Float32Array(shape.reduce((product, size) => product * size, 1));
  for (const { shape: own, values } of biases) {
    const at = indexer(own);
    forEachRow(shape, (b, h, i, start) => {
      for (let j = 0; j < shape[3]; j++) {
        sum[start + j] = (sum[start + j] as number) + (values[at(b, h, i, j)] as number);
      }
    });
  }
  return { bias: tensor(sum, shape) };
}

/** Causality and lengths where masks are nothing else, and what is left as a mask. */
function maskInputs(masks: readonly Mask[], whole: Mask, sizes: ScoreSizes): MaskInputs {
  const together = causalWithLengths(whole, sizes);
  if (together) return together;
  const causal = masks.map((mask) => causalWithLengths(mask, sizes));
  const one = causal.findIndex((inputs) => inputs?.causal === true);
  const rest = masks.filter((_, i) => i !== one && !isEmpty(causal[i]));
  if (one < 0) return { mask: asTensor(whole) };
  const inputs = causal[one] as MaskInputs;
  if (rest.length === 0) return inputs;
  return { ...inputs, mask: asTensor(combine(rest)) };
}

function isEmpty(inputs: MaskInputs | undefined): boolean {
  return inputs !== undefined && Object.keys(inputs).length === 0;
}

function asTensor({ visible, shape }: Mask): HostTensor {
  return tensor(visible, shape, { dtype: "bool" });
}

/** A mask of which each row shows the first keys of its entry: up to its own position, or a length. */
function causalWithLengths(mask: Mask, sizes: ScoreSizes): MaskInputs | undefined {
  const [, , rows, keys] = sizes;
  const [batch, heads, ownRows, ownKeys] = mask.shape;
  if (heads !== 1 || (ownKeys === 1 && keys !== 1)) return undefined;
  const ends: number[][] = [];
  for (let b = 0; b < batch; b++) {
    const counts: number[] = [];
    for (let i = 0; i < ownRows; i++) {
      const row = mask.visible.subarray((b * ownRows + i) * keys, (b * ownRows + i + 1) * keys);
      const hidden = row.indexOf(0);
      const end = hidden < 0 ? keys : hidden;
      if (row.indexOf(1, end) >= 0) return undefined;
      counts.push(end);
    }
    ends.push(counts);
  }
  const lengths = ends.map((counts) => Math.max(...counts));
  const spread = (list: number[]): number[] =>
    batch === sizes[0] ? list : Array<number>(sizes[0]).fill(list[0] as number);
  const kvLengths = lengths.some((length) => length < keys) ? { kvLengths: spread(lengths) } : {};
  if (ends.every((counts, b) => counts.every((end) => end === lengths[b]))) return kvLengths;
  // Row i sees the keys before end: its position is end − 1, which is i and an offset.
  const offsets = ends.map((counts, b) => {
    const offset = (counts[0] as number) - 1;
    const fits = counts.every((end, i) => end === Math.min(lengths[b] as number, i + offset + 1));
    return fits && offset >= 0 ? offset : undefined;
  });
  if (ownRows !== rows || offsets.some((offset) => offset === undefined)) return undefined;
  const list = offsets as number[];
  const queryOffset = list.every((offset) => offset === list[0])
    ? (list[0] as number)
    : spread(list);
  return { causal: true, queryOffset, ...kvLengths };
}
