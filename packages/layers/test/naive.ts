import { type HostTensor, toFloat64 } from "@heed/core";
import type { LayerInputs, MultiHeadAttentionOptions } from "@heed/layers";

interface Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly values: Float64Array;
}

/** A layer written out, one number after the other in float64, from the papers' formulas. */
export function naiveLayer(
  options: MultiHeadAttentionOptions,
  inputs: Pick<LayerInputs<HostTensor>, "query" | "keyPadding" | "mask" | "bias"> & {
    readonly key?: HostTensor;
    readonly value?: HostTensor;
    /** Position of every query, and of every key. */
    readonly positions?: readonly number[];
  },
): { output: Float64Array; weights: Float64Array } {
  const { queryHeads, kvHeads = queryHeads, weights: w } = options;
  const query = inputs.query;
  const key = inputs.key ?? query;
  const value = inputs.value ?? key;
  const [batch, length] = query.shape as [number, number];
  const keys = key.shape[1] as number;
  const headDim = (w.query.weight.shape[0] as number) / queryHeads;
  const valueDim = (w.value.weight.shape[0] as number) / kvHeads;
  const q = linear(query, w.query);
  const k = linear(key, w.key);
  const v = linear(value, w.value);
  const at = (i: number): number => inputs.positions?.[i] ?? i;
  for (const [m, heads, norm, rows] of [
    [q, queryHeads, options.queryNorm, length],
    [k, kvHeads, options.keyNorm, keys],
  ] as const) {
    for (let row = 0; row < m.rows; row++) {
      for (let h = 0; h < heads; h++) {
        const vector = m.values.subarray(
          row * m.columns + h * headDim,
          row * m.columns + (h + 1) * headDim,
        );
        if (norm) {
          const { weight, epsilon = 1e-6 } = norm as { weight: HostTensor; epsilon?: number };
          const mean = vector.reduce((sum, x) => sum + x * x, 0) / headDim;
          const factors = toFloat64(weight);
          vector.forEach((x, i) => {
            vector[i] = (x / Math.sqrt(mean + epsilon)) * (factors[i] as number);
          });
        }
        if (options.rotary) turn(vector, at(row % rows), options.rotary);
      }
    }
  }
  const extra = options.extra?.key.shape[0] ?? 0;
  const extraKey = options.extra ? toFloat64(options.extra.key) : new Float64Array();
  const extraValue = options.extra ? toFloat64(options.extra.value) : new Float64Array();
  const all = keys + extra;
  const mixed: Matrix = {
    rows: batch * length,
    columns: queryHeads * valueDim,
    values: new Float64Array(batch * length * queryHeads * valueDim),
  };
  const weights = new Float64Array(batch * queryHeads * length * all);
  const mask =
    inputs.mask && broadcast(inputs.mask as HostTensor, [batch, queryHeads, length, keys]);
  const bias =
    inputs.bias && broadcast(inputs.bias as HostTensor, [batch, queryHeads, length, keys]);
  const padding = inputs.keyPadding && toFloat64(inputs.keyPadding as HostTensor);
  const sinks = options.sinks as readonly number[] | undefined;
  const group = queryHeads / kvHeads;
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < queryHeads; h++) {
      const g = Math.floor(h / group);
      for (let i = 0; i < length; i++) {
        const logits = new Float64Array(all).fill(Number.NEGATIVE_INFINITY);
        for (let j = 0; j < all; j++) {
          const own = j < keys;
          if (own) {
            if (padding && padding[b * keys + j] === 0) continue;
            if (mask && mask(b, h, i, j) === 0) continue;
            if (options.causal && j > i) continue;
            if (j < i - (options.window?.left ?? all) || j > i + (options.window?.right ?? all)) {
              continue;
            }
          }
          let dot = 0;
          for (let c = 0; c < headDim; c++) {
            const x = q.values[(b * length + i) * q.columns + h * headDim + c] as number;
            const y = own
              ? (k.values[(b * keys + j) * k.columns + g * headDim + c] as number)
              : (extraKey[((j - keys) * kvHeads + g) * headDim + c] as number);
            dot += x * y;
          }
          let s = dot * (options.scale ?? 1 / Math.sqrt(headDim));
          if (options.softcap) s = options.softcap * Math.tanh(s / options.softcap);
          logits[j] = s + (own && bias ? bias(b, h, i, j) : 0);
        }
        const sink = sinks?.[h] ?? Number.NEGATIVE_INFINITY;
        const top = Math.max(sink, ...logits);
        if (top === Number.NEGATIVE_INFINITY) continue;
        const total = Math.exp(sink - top) + logits.reduce((sum, s) => sum + Math.exp(s - top), 0);
        for (let j = 0; j < all; j++) {
          const weight = Math.exp((logits[j] as number) - top) / total;
          weights[((b * queryHeads + h) * length + i) * all + j] = weight;
          for (let c = 0; c < valueDim; c++) {
            const x =
              j < keys
                ? (v.values[(b * keys + j) * v.columns + g * valueDim + c] as number)
                : (extraValue[((j - keys) * kvHeads + g) * valueDim + c] as number);
            const to = (b * length + i) * mixed.columns + h * valueDim + c;
            mixed.values[to] = (mixed.values[to] as number) + weight * x;
          }
        }
      }
    }
  }
  return { output: product(mixed, w.output).values, weights };
}

type Weights = MultiHeadAttentionOptions["weights"]["query"];

function linear(t: HostTensor, weights: Weights): Matrix {
  const [batch, rows, columns] = t.shape as [number, number, number];
  return product({ rows: batch * rows, columns, values: toFloat64(t) }, weights);
}

function product(m: Matrix, { weight, bias }: Weights): Matrix {
  const out = weight.shape[0] as number;
  const w = toFloat64(weight as HostTensor);
  const b = bias && toFloat64(bias as HostTensor);
  const values = new Float64Array(m.rows * out);
  for (let row = 0; row < m.rows; row++) {
    for (let o = 0; o < out; o++) {
      let sum = b?.[o] ?? 0;
      for (let i = 0; i < m.columns; i++) {
        sum += (m.values[row * m.columns + i] as number) * (w[o * m.columns + i] as number);
      }
      values[row * out + o] = sum;
    }
  }
  return { rows: m.rows, columns: out, values };
}

function turn(
  vector: Float64Array,
  position: number,
  rotary: NonNullable<MultiHeadAttentionOptions["rotary"]>,
): void {
  const size = rotary.rotaryDim ?? vector.length;
  for (let i = 0; i < size / 2; i++) {
    const frequency = rotary.inverseFrequencies?.[i] ?? (rotary.theta ?? 1e4) ** ((-2 * i) / size);
    const [a, b] = rotary.interleaved ? [2 * i, 2 * i + 1] : [i, i + size / 2];
    const [x, y] = [vector[a] as number, vector[b] as number];
    const [c, s] = [Math.cos(position * frequency), Math.sin(position * frequency)];
    vector[a] = x * c - y * s;
    vector[b] = y * c + x * s;
  }
}

function broadcast(t: HostTensor, shape: readonly number[]) {
  const values = toFloat64(t);
  const own = [...new Array<number>(4 - t.shape.length).fill(1), ...t.shape];
  return (...index: number[]): number => {
    let at = 0;
    for (let axis = 0; axis < shape.length; axis++) {
      at = at * (own[axis] as number) + (own[axis] === 1 ? 0 : (index[axis] as number));
    }
    return values[at] as number;
  };
}
