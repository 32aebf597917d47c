import {
  type Attention,
  contiguous,
  type HostTensor,
  mergeHeads,
  reshape,
  slice,
  splitHeads,
  tensor,
  transpose,
} from "heed";
import { projection } from "heed/operations";
import { heads, layers } from "./sizes.js";
import type { Weights } from "./weights.js";

type Floats = HostTensor<"float32">;

interface Linear {
  /** `[out, in]`. */
  readonly weight: Floats;
  readonly bias: Floats;
}

interface Norm {
  readonly scale: Float32Array;
  readonly bias: Float32Array;
}

interface Layer {
  readonly norm: Norm;
  readonly qkv: Linear;
  readonly out: Linear;
  readonly ffnNorm: Norm;
  readonly widen: Linear;
  readonly narrow: Linear;
}

/** Query, key and value of one layer, each `[1, heads, length, headDim]`; their heads are views. */
export interface Projected {
  readonly query: Floats;
  readonly key: Floats;
  readonly value: Floats;
}

/** One layer of a run: everything is `[1, heads, length, …]` and row-major. */
export interface LayerRun extends Projected {
  readonly scores: Floats;
  readonly weights: Floats;
  readonly output: Floats;
  /** Backend that computed its attention. */
  readonly backend: string;
}

const epsilon = 1e-6;

/**
 * The transformer of the Universal Sentence Encoder Lite (Cer et al., 2018, arXiv:1803.11175), whose graph
 * the package holds: embeddings, sinusoidal positions, and two layers with the norm in front. Projections
 * and attention are computed by Heed.
 */
export class Encoder {
  readonly #embeddings: Floats;
  readonly #rates: Float32Array;
  readonly #dense: Linear;
  readonly #layers: readonly Layer[];

  constructor(weights: Weights) {
    this.#embeddings = weights.get("/Embeddings_en");
    this.#rates = weights.get("TimingSignal/ExpandDims_1").data as Float32Array;
    const concat = "ConcatPartitions/concat";
    const linear = (kernel: string, bias: string): Linear => {
      const whole = weights.get(kernel);
      const [inputs, outputs] = whole.shape.slice(-2) as [number, number];
      const weight = contiguous(transpose(reshape(whole, [inputs, outputs]), [1, 0]));
      return { weight, bias: weights.get(bias) };
    };
    const norm = (prefix: string): Norm => {
      const at = `${prefix}layer_prepostprocess/layer_norm/layer_norm_`;
      const values = (name: string) => contiguous(weights.get(`${at}${name}/${concat}`));
      const [scale, bias] = [values("scale"), values("bias")];
      return { scale: elements(scale), bias: elements(bias) };
    };
    this.#dense = linear(
      `Layer_0/TransformerLayer/dense/kernel/${concat}`,
      `Layer_0/TransformerLayer/dense/bias/${concat}`,
    );
    this.#layers = Array.from({ length: layers }, (_, i): Layer => {
      const at = `Layer_${i}/TransformerLayer/`;
      const convolution = (name: string) =>
        linear(`${at}FFN/${name}/Tensordot/Reshape_1`, `${at}FFN/${name}/bias/${concat}`);
      const transform = (name: string) =>
        linear(
          `${at}MultiheadAttention/${name}_transform_single/kernel/part_0`,
          `${at}MultiheadAttention/${name}_transform_single/bias/${concat}`,
        );
      return {
        norm: norm(at),
        qkv: transform("qkv"),
        out: transform("output"),
        ffnNorm: norm(`${at}FFN/`),
        widen: convolution("conv1"),
        narrow: convolution("conv2"),
      };
    });
  }

  /** Runs both layers. @param ids at most {@link longest} numbers of the vocabulary */
  async encode(
    attention: Attention,
    ids: Int32Array,
    causal: boolean,
  ): Promise<{ readonly layers: readonly LayerRun[]; readonly states: Floats }> {
    let states = this.#embed(ids);
    const runs: LayerRun[] = [];
    for (const [i, layer] of this.#layers.entries()) {
      const projected = await this.#project(attention, states, layer);
      const { output, scores, weights, backend } = await attention.run({
        ...projected,
        causal,
        returns: { scores: "raw", weights: true },
      });
      runs.push({ ...projected, output, scores, weights, backend });
      const attended = await apply(attention, contiguous(mergeHeads(output)), layer.out);
      // The first layer widens its states from 256 to 512 elements.
      const kept = i === 0 ? await apply(attention, states, this.#dense) : states;
      const middle = add(attended, kept);
      const wide = await apply(attention, normalise(middle, layer.ffnNorm), layer.widen);
      for (const [j, x] of elements(wide).entries()) if (x < 0) elements(wide)[j] = 0;
      states = add(await apply(attention, wide, layer.narrow), middle);
    }
    return { layers: runs, states };
  }

  /** Query, key and value of the first layer, for any number of tokens. */
  async first(attention: Attention, ids: Int32Array): Promise<Projected> {
    return this.#project(attention, this.#embed(ids), this.#layers[0] as Layer);
  }

  async #project(attention: Attention, states: Floats, layer: Layer): Promise<Projected> {
    const joined = await apply(attention, normalise(states, layer.norm), layer.qkv);
    const width = (joined.shape[2] as number) / 3;
    const part = (i: number) =>
      contiguous(splitHeads(slice(joined, 2, i * width, (i + 1) * width), heads));
    return { query: part(0), key: part(1), value: part(2) };
  }

  /** Embeddings twice and positions once, as the graph adds them: `[1, length, 256]`. */
  #embed(ids: Int32Array): Floats {
    const table = elements(this.#embeddings);
    const width = this.#embeddings.shape[1] as number;
    const half = this.#rates.length;
    const states = new Float32Array(ids.length * width);
    for (const [position, id] of ids.entries()) {
      const row = position * width;
      for (let i = 0; i < width; i++) states[row + i] = 2 * (table[id * width + i] as number);
      for (let i = 0; i < half; i++) {
        const angle = position * (this.#rates[i] as number);
        (states[row + i] as number) += Math.sin(angle);
        (states[row + half + i] as number) += Math.cos(angle);
      }
    }
    return tensor(states, [1, ids.length, width]);
  }
}

function elements(t: Floats): Float32Array {
  return t.data as Float32Array;
}

async function apply(
  attention: Attention,
  input: Floats,
  { weight, bias }: Linear,
): Promise<Floats> {
  const { output } = await attention.apply(projection, { input, weight, bias });
  return output as Floats;
}

function add(a: Floats, b: Floats): Floats {
  return tensor(
    elements(a).map((x, i) => x + (elements(b)[i] as number)),
    a.shape,
  );
}

/** Layer norm over the last axis. */
function normalise(t: Floats, { scale, bias }: Norm): Floats {
  const width = scale.length;
  const input = elements(t);
  const output = new Float32Array(input.length);
  for (let row = 0; row < input.length; row += width) {
    let mean = 0;
    for (let i = 0; i < width; i++) mean += input[row + i] as number;
    mean /= width;
    let variance = 0;
    for (let i = 0; i < width; i++) variance += ((input[row + i] as number) - mean) ** 2;
    const factor = 1 / Math.sqrt(variance / width + epsilon);
    for (let i = 0; i < width; i++) {
      const unit = ((input[row + i] as number) - mean) * factor;
      output[row + i] = unit * (scale[i] as number) + (bias[i] as number);
    }
  }
  return tensor(output, t.shape);
}
