import { tensor } from "@heed/core";
import { causal, swin, swinBias } from "@heed/core/masks";
import {
  abs,
  add,
  astype,
  bindProgram,
  createBlockMask,
  divide,
  floor,
  less,
  log,
  type MaskProgram,
  maximum,
  minimum,
  multiply,
  programEvaluator,
  type ScoreProgram,
  scoreMod,
  subtract,
  table,
  tanh,
  where,
} from "@heed/core/program";
import type { Matrix } from "../drawing/matrix.js";
import type { Tiles } from "../drawing/tiles.js";
import { tilesOf } from "./masks.js";

/** Queries, and keys, of the pictured programs. */
export const scoreLength = 64;
/** Queries, and keys, of a tile. */
export const scoreTile = 16;
export const scoreHeads = 8;

const image = { height: 8, width: 8, window: 4, shift: 2 };
const cap = 50;
/** Scores of the first and the last key before the cap. */
const ends = [-150, 150] as const;

/** A score program with a name. */
export interface NamedScores {
  readonly name: string;
  readonly title: string;
  readonly about: string;
  /** Whether heads differ. */
  readonly byHead: boolean;
  /** Mask that models use beside it; none hides nothing. */
  readonly mask?: () => MaskProgram;
  readonly program: () => ScoreProgram;
  /** Score of a key before the program. */
  readonly before: (key: number) => number;
  /** Name of a token in words. */
  readonly token: (at: number) => string;
  /** Name of a key, where that is another. */
  readonly key?: (at: number) => string;
}

const numbered = (at: number): string => `token ${at + 1}`;
const none = (): number => 0;

export const scorePrograms: readonly NamedScores[] = [
  {
    name: "alibi",
    title: "ALiBi",
    about:
      "A score falls with the distance of its key, in each head at another slope: the last heads look far back, the first ones close by (Press et al., 2022). Keys after the query are hidden.",
    byHead: true,
    mask: () => causal(),
    program: alibi,
    before: none,
    token: numbered,
  },
  {
    name: "swin",
    title: "Swin's position bias",
    about:
      "Tokens are the pixels of a picture of 8 × 8 in windows of 4 × 4, shifted by two. Each head adds a number for each distance within a window (Liu et al., 2021); the numbers here are made up. Other windows are hidden.",
    byHead: true,
    mask: () => swin(image),
    program: () => swinBias(biases(), image),
    before: none,
    token: (at) => `pixel ${Math.floor(at / image.width) + 1}, ${(at % image.width) + 1}`,
  },
  {
    name: "buckets",
    title: "Distance buckets",
    about:
      "Distances share numbers: each below 8 has its own, farther ones fall into buckets that grow with the distance, as in T5 (Raffel et al., 2020); the numbers here are made up. Keys after the query are hidden.",
    byHead: true,
    mask: () => causal(),
    program: buckets,
    before: none,
    token: numbered,
  },
  {
    name: "cap",
    title: "Soft cap",
    about: `No score leaves the range from −${cap} to ${cap}: it becomes ${cap} · tanh(score / ${cap}), as in Gemma 2. Small scores stay nearly what they are. From left to right, the keys have scores from −150 to 150 before it.`,
    byHead: false,
    program: () => scoreMod(({ score }) => multiply(cap, tanh(divide(score, cap)))),
    before: ramp,
    token: numbered,
    key: (at) => `a score of ${ramp(at).toFixed(0).replace("-", "−")}`,
  },
];

function ramp(key: number): number {
  return ends[0] + ((ends[1] - ends[0]) * key) / (scoreLength - 1);
}

/** Slopes 2^(−8(h + 1) / heads), as in ALiBi (Press et al., 2022, arXiv:2108.12409). */
function alibi(): ScoreProgram {
  const slopes = table(
    tensor(
      Float32Array.from({ length: scoreHeads }, (_, h) => 2 ** ((-8 * (h + 1)) / scoreHeads)),
      [scoreHeads],
    ),
  );
  return scoreMod(({ score, head, query, key }) =>
    subtract(score, multiply(slopes.at(head), abs(subtract(query, key)))),
  );
}

/** A bias of each head for each distance in a window: a bell around a place of the head's own. */
function biases() {
  const side = 2 * image.window - 1;
  const values = Float32Array.from({ length: side * side * scoreHeads }, (_, at) => {
    const [place, head] = [Math.floor(at / scoreHeads), at % scoreHeads];
    const angle = (2 * Math.PI * head) / scoreHeads;
    const row = Math.floor(place / side) - (image.window - 1) - 1.5 * Math.sin(angle);
    const column = (place % side) - (image.window - 1) - 1.5 * Math.cos(angle);
    return 4 * Math.exp(-(row ** 2 + column ** 2) / 4) - 2;
  });
  return tensor(values, [side * side, scoreHeads]);
}

/** Distances below 8 have a bucket each; eight more grow by the logarithm up to a distance of 64. */
function buckets(): ScoreProgram {
  const values = Float32Array.from({ length: 16 * scoreHeads }, (_, at) => {
    const [bucket, head] = [at % 16, Math.floor(at / 16)];
    return 3 * Math.cos((bucket * (head + 1)) / 10) - (bucket * (scoreHeads - head)) / 12;
  });
  const biases = table(tensor(values, [scoreHeads, 16]));
  return scoreMod(({ score, head, query, key }) => {
    const distance = abs(subtract(query, key));
    const far = add(8, floor(multiply(8 / Math.log(8), log(divide(maximum(distance, 8), 8)))));
    const bucket = where(less(distance, 8), distance, minimum(15, astype(far, "int32")));
    return add(score, biases.at(head, bucket));
  });
}

/** The scores after a program. Keys that its mask hides are NaN. */
export interface Scores extends Matrix {
  /** Smallest and largest score that is not hidden. */
  readonly range: readonly [number, number];
  readonly hidden: number;
  /** Tiles of the mask, of which some are skipped; undefined where nothing is hidden. */
  readonly tiles: Tiles | undefined;
  /** Number of tiles, and of those that are skipped. */
  readonly counts: readonly [all: number, skipped: number];
}

export function scoresOf(named: NamedScores, head: number): Scores {
  const size = scoreLength;
  const score = programEvaluator(bindProgram(named.program()));
  const mask = named.mask?.();
  const seen = mask && programEvaluator(bindProgram(mask));
  const values = new Float32Array(size * size);
  let [least, most, hidden] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0];
  for (let at = 0; at < values.length; at++) {
    const [query, key] = [Math.floor(at / size), at % size];
    const point = { batch: 0, head, query, key, queryIndex: query, keyIndex: key };
    if (seen && seen(point) === 0) {
      values[at] = Number.NaN;
      hidden += 1;
      continue;
    }
    const value = score({ ...point, score: named.before(key) });
    values[at] = value;
    [least, most] = [Math.min(least, value), Math.max(most, value)];
  }
  const lengths = { queryLength: size, keyLength: size };
  const blocks =
    mask && createBlockMask(mask, { ...lengths, queryBlock: scoreTile, keyBlock: scoreTile });
  return {
    rows: size,
    columns: size,
    quantity: "scores",
    most: Math.max(Math.abs(least), Math.abs(most)),
    row: (i) => values.subarray(i * size, (i + 1) * size),
    range: [least, most],
    hidden,
    tiles: blocks && tilesOf(blocks, scoreTile),
    counts: [(size / scoreTile) ** 2, blocks?.counts.empty ?? 0],
  };
}
