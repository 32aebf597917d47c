import { tensor } from "@heed/core";
import {
  bigBird,
  bigBirdRandomBlocks,
  causal,
  dilated,
  document,
  longformer,
  neighbourhood,
  prefixLM,
  slidingWindow,
  swin,
} from "@heed/core/masks";
import {
  and,
  type BlockMask,
  createBlockMask,
  type MaskProgram,
  maskMod,
} from "@heed/core/program";

/** Queries, and keys, of the pictured masks. */
export const maskLength = 1024;
const side = 32;

const ends = [180, 420, 700, maskLength];
const documents = tensor(
  Int32Array.from({ length: maskLength }, (_, at) => ends.findIndex((end) => at < end)),
  [1, maskLength],
);
const global = tensor(
  Array.from({ length: maskLength }, (_, at) => at < 8),
  [1, maskLength],
);

/** A mask with a name. */
export interface NamedMask {
  readonly name: string;
  readonly title: string;
  readonly about: string;
  readonly program: () => MaskProgram;
}

export const masks: readonly NamedMask[] = [
  {
    name: "causal",
    title: "Causal",
    about: "Each token sees itself and what came before: how decoders are trained.",
    program: () => causal(),
  },
  {
    name: "window",
    title: "Sliding window",
    about: "Each token sees the last 128, as Mistral and Gemma do in many layers.",
    program: () => slidingWindow(128),
  },
  {
    name: "prefix",
    title: "Prefix",
    about: "The first 256 tokens see each other; those that are generated see what came before.",
    program: () => prefixLM(256),
  },
  {
    name: "documents",
    title: "Packed documents",
    about: "Four documents in one sequence, each causal and blind to the others.",
    program: () => maskMod(and(causal(), document(documents))),
  },
  {
    name: "dilated",
    title: "Dilated",
    about: "Every fourth of the last 256 tokens.",
    program: () => dilated({ dilation: 4, left: 64, right: 0 }),
  },
  {
    name: "longformer",
    title: "Longformer",
    about: "A window on both sides, and eight tokens that see all and are seen by all.",
    program: () => longformer({ window: 64, global }),
  },
  {
    name: "bigbird",
    title: "BigBird",
    about: "Blocks on the diagonal, the first and the last block, and some at random.",
    program: () => {
      const blocks = { length: maskLength, block: 64 };
      const random = bigBirdRandomBlocks({ ...blocks, heads: 1, count: 2, seed: 3 });
      return bigBird({ ...blocks, random });
    },
  },
  {
    name: "neighbourhood",
    title: "Neighbourhood of pixels",
    about: "A picture of 32 × 32 patches, each of which sees the 7 × 7 around it.",
    program: () => neighbourhood({ height: side, width: side, kernel: 7 }),
  },
  {
    name: "swin",
    title: "Shifted windows",
    about: "The same picture in windows of 8 × 8, shifted by half a window, as in Swin.",
    program: () => swin({ height: side, width: side, window: 8, shift: 4 }),
  },
];

/** Blocks of a mask: which are empty, partial or full. */
export function blocksOf(program: MaskProgram, tile: number): BlockMask {
  const size = { queryLength: maskLength, keyLength: maskLength };
  return createBlockMask(program, { ...size, queryBlock: tile, keyBlock: tile });
}
