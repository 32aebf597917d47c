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
import type { Matrix } from "../drawing/matrix.js";
import type { Tiles } from "../drawing/tiles.js";

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
  /** Name of a token in words, where it is not its number. */
  readonly token?: (at: number) => string;
}

const pixel = (at: number): string => `pixel ${Math.floor(at / side) + 1}, ${(at % side) + 1}`;

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
    about: "Each token sees itself and the 128 before it, as in many layers of Mistral and Gemma.",
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
    token: pixel,
  },
  {
    name: "swin",
    title: "Shifted windows",
    about: "The same picture in windows of 8 × 8, shifted by half a window, as in Swin.",
    program: () => swin({ height: side, width: side, window: 8, shift: 4 }),
    token: pixel,
  },
];

/** Blocks of a mask: which are empty, partial or full. */
export function blocksOf(program: MaskProgram, tile: number): BlockMask {
  const size = { queryLength: maskLength, keyLength: maskLength };
  return createBlockMask(program, { ...size, queryBlock: tile, keyBlock: tile });
}

/** Blocks of a mask as the tiles of a map. */
export function tilesOf(blocks: BlockMask, size: number): Tiles {
  return { size, kind: (query, key) => blocks.kind(0, 0, query, key) };
}

/** A mask as a map: 1 where a query sees a key. */
export function maskMatrix(program: MaskProgram): Matrix {
  const { starts, first, end } = blocksOf(program, 1).rows;
  const values = new Float32Array(maskLength * maskLength);
  const row = (i: number): Float32Array => values.subarray(i * maskLength, (i + 1) * maskLength);
  for (let i = 0; i < maskLength; i++) {
    for (let n = starts[i] as number; n < (starts[i + 1] as number); n++) {
      row(i).fill(1, first[n], end[n]);
    }
  }
  return { rows: maskLength, columns: maskLength, quantity: "mask", most: 1, row };
}
