import { Random } from "@heed/conformance";
import {
  type DType,
  rotary as definition,
  type FloatDType,
  type HostTensor,
  type RotaryInputs,
  tensor,
} from "@heed/core";
import type { Workload } from "../../workloads/workload.js";
import { rotary } from "./operation.js";

/** Sizes of one call: the queries or the keys of a layer. */
interface RotaryShape {
  readonly batch?: number;
  readonly heads: number;
  readonly length: number;
  readonly headDim: number;
  /** Position of the first token; for several batch entries, of the first entry. */
  readonly offset?: number;
  readonly theta: number;
  /** Rows of precomputed tables of cosines and sines; left out, `theta` is given instead of tables. */
  readonly tableRows?: number;
  readonly rotaryDim?: number;
  readonly interleaved?: boolean;
}

interface RotaryCase extends Pick<Workload, "id" | "title" | "source"> {
  readonly shape: RotaryShape;
}

// rope_theta 500000, head_dim 128, num_attention_heads 32, num_key_value_heads 8
const llama = "https://huggingface.co/meta-llama/Meta-Llama-3-8B/blob/main/config.json";
const llamaQuery = { heads: 32, headDim: 128, theta: 500_000 };
// rope_theta 1000000, head_dim 128, num_attention_heads 16, num_key_value_heads 8
const qwen = "https://huggingface.co/Qwen/Qwen3-0.6B/blob/main/config.json";
const qwenQuery = { heads: 16, headDim: 128, theta: 1_000_000, tableRows: 4096 };
// rotary_dim 64, n_embd 4096, n_head 16; neighbouring elements are pairs, base 10000
const gptj = "https://huggingface.co/EleutherAI/gpt-j-6b/blob/main/config.json";

const cases: readonly RotaryCase[] = [
  {
    id: "llama-3-8b-rotary-prefill-512",
    title: "Llama 3 8B, queries of a prompt of 512 tokens",
    source: llama,
    shape: { ...llamaQuery, length: 512 },
  },
  {
    id: "llama-3-8b-rotary-prefill-512-key",
    title: "Llama 3 8B, keys of a prompt of 512 tokens",
    source: llama,
    shape: { ...llamaQuery, heads: 8, length: 512 },
  },
  {
    id: "llama-3-8b-rotary-decode-4096",
    title: "Llama 3 8B, the query of one token after 4096",
    source: llama,
    shape: { ...llamaQuery, length: 1, offset: 4096 },
  },
  {
    id: "llama-3-8b-rotary-decode-b16",
    title: "Llama 3 8B, the queries of one token each for 16 sequences of different lengths",
    source: llama,
    shape: { ...llamaQuery, batch: 16, length: 1, offset: 1024 },
  },
  {
    id: "qwen3-0.6b-rotary-prefill-256",
    title: "Qwen3 0.6B, queries of a prompt of 256 tokens, by tables",
    source: qwen,
    shape: { ...qwenQuery, length: 256 },
  },
  {
    id: "qwen3-0.6b-rotary-decode-1024",
    title: "Qwen3 0.6B, the query of one token after 1024, by tables",
    source: qwen,
    shape: { ...qwenQuery, length: 1, offset: 1024 },
  },
  {
    id: "gpt-j-6b-rotary-prefill-256",
    title: "GPT-J 6B, a prompt of 256 tokens: interleaved pairs in a quarter of each head",
    source: gptj,
    shape: {
      heads: 16,
      length: 256,
      headDim: 256,
      rotaryDim: 64,
      interleaved: true,
      theta: 10_000,
    },
  },
];

/** Rotary position embedding of published models; values are drawn from a normal distribution. */
export const rotaryWorkloads: readonly Workload<RotaryInputs<HostTensor>>[] = cases.map(
  ({ shape, ...about }) => ({
    ...about,
    suite: "rotary",
    operation: rotary,
    flops: flopsOf(shape),
    load: async (dtype) => {
      const random = new Random(about.id);
      return call(shape, dtype, (sizes, of) => random.tensor(sizes, of));
    },
  }),
);

/** Counted on a tensor that repeats one element, since only sizes matter. */
function flopsOf({ tableRows: _, ...shape }: RotaryShape): number {
  const inputs = call({ ...shape, offset: 0 }, "float32", (sizes) =>
    tensor(new Float32Array(1), sizes, { strides: sizes.map(() => 0) }),
  );
  return definition.work(definition.bind(definition.describe(inputs), inputs)).flops;
}

function call(
  shape: RotaryShape,
  dtype: FloatDType,
  make: (sizes: readonly number[], dtype: DType) => HostTensor,
): RotaryInputs<HostTensor> {
  const { batch = 1, heads, length, headDim, offset, theta, tableRows } = shape;
  const { rotaryDim = headDim, interleaved } = shape;
  return {
    input: make([batch, heads, length, headDim], dtype),
    ...(offset !== undefined && {
      // Sequences of a batch differ in length.
      offset: batch === 1 ? offset : Int32Array.from({ length: batch }, (_, b) => offset + 97 * b),
    }),
    ...(tableRows === undefined ? { theta } : tables(theta, rotaryDim, tableRows)),
    ...(rotaryDim !== headDim && { rotaryDim }),
    ...(interleaved && { interleaved }),
  };
}

/** Cosines and sines of every position, `[rows, rotaryDim / 2]` each, as a model keeps them. */
function tables(
  theta: number,
  rotaryDim: number,
  rows: number,
): Pick<RotaryInputs<HostTensor>, "cos" | "sin"> {
  const half = rotaryDim / 2;
  const angle = (at: number) => Math.floor(at / half) * theta ** (-(at % half) / half);
  const table = (of: (angle: number) => number) =>
    tensor(
      Float32Array.from({ length: rows * half }, (_, at) => of(angle(at))),
      [rows, half],
    );
  return { cos: table(Math.cos), sin: table(Math.sin) };
}
