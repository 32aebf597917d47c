import { Random } from "@heed/conformance";
import {
  type AttentionInputs,
  contiguous,
  type DType,
  type FloatDType,
  type HostTensor,
  slice,
  tensor,
} from "@heed/core";
import {
  bigBird,
  bigBirdRandomBlocks,
  causal,
  document,
  longformer,
  neighbourhood,
  slidingWindow,
  swin,
  swinBias,
} from "@heed/core/masks";
import {
  createBlockMask,
  divide,
  type MaskProgram,
  multiply,
  type ScoreProgram,
  scoreMod,
  tanh,
} from "@heed/core/program";
import { attention } from "../operations/attention/operation.js";
import { tilesOf, workLeft } from "../operations/attention/sparsity.js";
import { type CallsInputs, calls } from "../operations/calls/operation.js";
import type { Workload } from "./workload.js";

/** Queries and keys of a tile of the block masks, and tokens of a block of BigBird. */
const block = 64;

interface SparseShape {
  readonly batch?: number;
  readonly heads: number;
  readonly length: number;
  readonly headDim: number;
}

/** Inputs of a call beside its query, key and value. */
interface Rules extends Omit<AttentionInputs<HostTensor>, "query" | "key" | "value" | "maskMod"> {
  readonly maskMod?: MaskProgram;
}

interface SparseCase extends Pick<Workload, "id" | "title" | "source"> {
  readonly shape: SparseShape;
  /** About the share of pairs that are left, for choosing among workloads. */
  readonly left: number;
  readonly rules?: (make: Make) => Rules;
}

const flex = "https://arxiv.org/abs/2412.05496";
const causal2048: SparseShape = { heads: 4, length: 2048, headDim: 64 };
const long: SparseShape = { heads: 1, length: 8192, headDim: 64 };
const packed: SparseShape = { heads: 2, length: 4096, headDim: 64 };
const softcap = 50;

const documents = 8;
const documentLength = packed.length / documents;
const documentStarts = Int32Array.from({ length: documents + 1 }, (_, at) => at * documentLength);
/** The document of each token, int32 `[1, length]`. */
const documentIds = (): HostTensor<"int32"> =>
  tensor(
    Int32Array.from({ length: packed.length }, (_, at) => Math.floor(at / documentLength)),
    [1, packed.length],
  );

/** Longformer's question answering marks the tokens of the question. */
const globalTokens = 16;

// Stage 1 of Swin-T: 56 × 56 patches, windows of 7 × 7, shifted by 3, 3 heads of size 32
const image = { height: 56, width: 56, window: 7, shift: 3 };
const windows = (image.height / image.window) * (image.width / image.window);
const windowLength = image.window ** 2;
const swinSource = "https://arxiv.org/abs/2103.14030";

const cases: readonly SparseCase[] = [
  {
    id: "causal-2048-flag",
    title: "causal, by its flag",
    source: flex,
    shape: causal2048,
    left: 0.5,
    rules: () => ({ causal: true }),
  },
  {
    id: "causal-2048-program",
    title: "causal, as a program",
    source: flex,
    shape: causal2048,
    left: 0.5,
    rules: () => masked(causal(), causal2048),
  },
  {
    id: "window-256-8192-flag",
    title: "causal window of 256 keys, by flags",
    source: flex,
    shape: long,
    left: 256 / long.length,
    rules: () => ({ causal: true, window: { left: 255 } }),
  },
  {
    id: "window-256-8192-program",
    title: "causal window of 256 keys, as a program",
    source: flex,
    shape: long,
    left: 256 / long.length,
    rules: () => masked(slidingWindow(255), long),
  },
  {
    id: "documents-4096-program",
    title: "8 documents of 512 tokens packed into one sequence, as a program",
    source: flex,
    shape: packed,
    left: 1 / documents,
    rules: () => masked(document(documentIds()), packed),
  },
  {
    id: "documents-4096-ragged",
    title: "8 documents of 512 tokens as a ragged batch",
    source: flex,
    shape: packed,
    left: 1 / documents,
    rules: () => ({ queryStarts: documentStarts, keyStarts: documentStarts }),
  },
  {
    id: "full-4096",
    title: "every query sees every key: beside BigBird, Longformer and neighbourhoods",
    source: flex,
    shape: packed,
    left: 1,
  },
  {
    id: "bigbird-4096-program",
    title: "BigBird: global, window and 3 random blocks of 64, as a program",
    source: "https://arxiv.org/abs/2007.14062",
    shape: packed,
    left: 0.12,
    rules: () => {
      const options = { length: packed.length, block };
      const chosen = { ...options, heads: packed.heads, count: 3, seed: 1 };
      const random = bigBirdRandomBlocks(chosen);
      return masked(bigBird({ ...options, random }), packed);
    },
  },
  {
    id: "longformer-4096-program",
    title: "Longformer: a window of 256 keys on each side and 16 global tokens, as a program",
    source: "https://arxiv.org/abs/2004.05150",
    shape: packed,
    left: 0.13,
    rules: () => {
      const global = Uint8Array.from({ length: packed.length }, (_, at) =>
        at < globalTokens ? 1 : 0,
      );
      const options = {
        window: 256,
        global: tensor(global, [1, packed.length], { dtype: "bool" }),
      };
      return masked(longformer(options), packed);
    },
  },
  {
    id: "neighbourhood-64x64-program",
    title: "neighbourhoods of 7 × 7 in an image of 64 × 64, as a program",
    source: "https://arxiv.org/abs/2204.07143",
    shape: packed,
    left: 49 / packed.length,
    rules: () => masked(neighbourhood({ height: 64, width: 64, kernel: 7 }), packed),
  },
  {
    id: "swin-56x56-program",
    title: "Swin-T, stage 1, shifted windows with relative bias over the whole image, as programs",
    source: swinSource,
    shape: { heads: 3, length: image.height * image.width, headDim: 32 },
    left: windowLength / (image.height * image.width),
    rules: (make) => {
      const shape = { heads: 3, length: image.height * image.width };
      const bias = make([(2 * image.window - 1) ** 2, shape.heads], "float32");
      return { ...masked(swin(image), shape), scoreMod: swinBias(bias, image) };
    },
  },
  {
    id: "swin-56x56-windows",
    title: "Swin-T, stage 1, shifted windows as a batch of 64, with a mask and a bias as tensors",
    source: swinSource,
    shape: { batch: windows, heads: 3, length: windowLength, headDim: 32 },
    left: 1,
    rules: (make) => ({
      bias: make([1, 3, windowLength, windowLength], "float32"),
      mask: shiftedWindows(),
    }),
  },
  {
    id: "softcap-2048-flag",
    title: "soft cap of 50, by its option",
    source: flex,
    shape: causal2048,
    left: 1,
    rules: () => ({ softcap }),
  },
  {
    id: "softcap-2048-program",
    title: "soft cap of 50, as a program",
    source: flex,
    shape: causal2048,
    left: 1,
    rules: () => ({ scoreMod: capped() }),
  },
];

function capped(): ScoreProgram {
  return scoreMod(({ score }) => multiply(tanh(divide(score, softcap)), softcap));
}

/** A program and its block mask: it is made once for every call of these sizes, and not part of the time. */
function masked(
  maskMod: MaskProgram,
  { heads, length }: Pick<SparseShape, "heads" | "length">,
): Rules {
  const blockMask = createBlockMask(maskMod, {
    heads,
    queryLength: length,
    keyLength: length,
    queryBlock: block,
    keyBlock: block,
  });
  return { maskMod, blockMask };
}

/**
 * Which pixels of a window were neighbours before the image was rolled: bool `[windows, 1, tokens, tokens]`. The
 * last row and column of windows are cut where the image's edges meet.
 */
function shiftedWindows(): HostTensor<"bool"> {
  const across = image.width / image.window;
  const down = image.height / image.window;
  const cut = image.window - image.shift;
  const mask = new Uint8Array(windows * windowLength ** 2);
  for (let w = 0, at = 0; w < windows; w++) {
    const part = (token: number): number => {
      const [row, column] = [Math.floor(token / image.window), token % image.window];
      const below = Math.floor(w / across) === down - 1 && row >= cut ? 2 : 0;
      return below + (w % across === across - 1 && column >= cut ? 1 : 0);
    };
    for (let i = 0; i < windowLength; i++) {
      for (let j = 0; j < windowLength; j++, at++) mask[at] = part(i) === part(j) ? 1 : 0;
    }
  }
  return tensor(mask, [windows, 1, windowLength, windowLength], { dtype: "bool" });
}

type Make = (sizes: readonly number[], dtype: DType) => HostTensor;

function tensorsOf(
  { batch = 1, heads, length, headDim }: SparseShape,
  dtype: FloatDType,
  make: Make,
) {
  const sizes = [batch, heads, length, headDim];
  return { query: make(sizes, dtype), key: make(sizes, dtype), value: make(sizes, dtype) };
}

function seeded(id: string): Make {
  const random = new Random(id);
  return (sizes, dtype) => random.tensor(sizes, dtype);
}

function inputsOf(
  { id, shape, rules }: SparseCase,
  dtype: FloatDType,
): AttentionInputs<HostTensor> {
  const make = seeded(id);
  return { ...tensorsOf(shape, dtype, make), ...rules?.(make) };
}

function estimate({ shape, left }: SparseCase): number {
  const { batch = 1, heads, length, headDim } = shape;
  return 4 * batch * heads * length ** 2 * headDim * left;
}

const programs = cases.map(
  (one): Workload<AttentionInputs<HostTensor>> => ({
    id: one.id,
    title: one.title,
    source: one.source,
    suite: "sparse",
    operation: attention,
    flops: estimate(one),
    load: async (dtype) => inputsOf(one, dtype),
    work: workLeft,
    tiles: tilesOf,
  }),
);

/** Calls that the packed documents are compared with. */
const documentsAlone: Workload<CallsInputs> = {
  id: "documents-4096-calls",
  title: "8 documents of 512 tokens, each in a call of its own",
  source: flex,
  suite: "sparse",
  operation: calls,
  flops: (4 * packed.heads * packed.headDim * packed.length ** 2) / documents,
  load: async (dtype) => {
    const { query, key, value } = tensorsOf(packed, dtype, seeded("documents-4096-calls"));
    return {
      calls: Array.from({ length: documents }, (_, at) => {
        const own = (t: HostTensor) =>
          contiguous(slice(t, 2, at * documentLength, (at + 1) * documentLength));
        return { query: own(query), key: own(key), value: own(value) };
      }),
    };
  },
};

/** Masks and scores as programs, beside the flag or the dense call that says the same. */
export const sparseWorkloads: readonly Workload[] = programs.flatMap((workload) =>
  workload.id === "documents-4096-program"
    ? ([workload, documentsAlone] as readonly Workload[])
    : [workload as Workload],
);
