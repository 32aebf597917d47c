/** Kernels of every kind, in many of their sizes and types. suite-forms.ts has all that the suite can lead to. */

import { decodeKernel } from "../src/attention/kernels/decode.js";
import { matrixKernel } from "../src/attention/kernels/matrix.js";
import { mergeKernel } from "../src/attention/kernels/merge.js";
import { registersKernel } from "../src/attention/kernels/registers.js";
import { rowKernel } from "../src/attention/kernels/row.js";
import { subgroupMatrixKernel } from "../src/attention/kernels/subgroup-matrix.js";
import { tileKernel } from "../src/attention/kernels/tile.js";
import { plainReads, type Reads } from "../src/attention/wgsl/reads.js";
import { packKernel, unpackKernel } from "../src/convert/kernels.js";
import { mergeSumKernel, mergeWeightsKernel } from "../src/merge/kernel.js";
import { projectionKernel } from "../src/projection/kernel.js";
import { rmsNormKernel } from "../src/rms-norm/kernel.js";
import { rotaryKernel } from "../src/rotary/kernel.js";
import { scatterKernel } from "../src/scatter/kernel.js";
import type { Kernel, Storage } from "../src/wgsl/kernel.js";
import { everyProgram } from "./every-operation.js";

const storages: readonly (readonly [storage: Storage, bias: Storage])[] = [
  ["f32", "f32"],
  ["f16", "f16"],
  ["f16", "f32"],
];
const tiles = storages.flatMap(([storage, bias]) =>
  [storage, "f32" as const].flatMap((output) =>
    [false, true].flatMap((subgroups) =>
      ([8, 16] as const).flatMap((lanes) =>
        [32, 64, 128]
          .filter((columns) => columns >= 4 * lanes)
          .map((columns) => tileKernel({ lanes, columns, storage, bias, output, subgroups })),
      ),
    ),
  ),
);
/** For long caches. */
const tilesInRuns = storages.flatMap(([storage, bias]) =>
  ([8, 16] as const).map((lanes) =>
    tileKernel({
      ...{ lanes, columns: 64, storage, bias },
      ...{ output: storage, subgroups: lanes === 16, runs: true },
    }),
  ),
);
/** Sizes on lavapipe and Apple, on NVIDIA, on AMD and Intel. */
const matrices = [
  { m: 8, n: 8, k: 8 },
  { m: 16, n: 8, k: 16 },
  { m: 16, n: 16, k: 16 },
  { m: 32, n: 32, k: 32 },
];
const matrixKernels = matrices.flatMap((sizes) =>
  ([32, 64] as const).flatMap((rows) =>
    ([32, 64, 128] as const).flatMap((columns) =>
      (["f16", "f32"] as const).flatMap((bias) =>
        (["f16", "f32"] as const).map((output) =>
          subgroupMatrixKernel({ matrices: sizes, rows, headDim: 96, columns, bias, output }),
        ),
      ),
    ),
  ),
);
/** How kernels read keys in lists: each element type, and what is bound beside scales. */
const reads: readonly (readonly [storage: Storage, reads: Reads])[] = (
  [
    ["f32", "f32", false],
    ["f32", "f16", false],
    ["f16", "f16", false],
    ["f32", "f16-words", true],
    ["f32", "f16-words", false],
    ["f32", "i8", true],
    ["f32", "i8", false],
    ["f16", "i8", true],
  ] as const
).flatMap(([storage, element, words]) =>
  (element === "i8" ? (["joined", "rules", "none"] as const) : (["rules"] as const)).map(
    (bound) => {
      const rules = bound !== "none";
      const joined = bound === "joined";
      const reads = { element, words, gathered: true, mask: rules, bias: rules, joined };
      return [storage, reads] as const;
    },
  ),
);
const readers = reads.flatMap(([storage, reads]) => [
  ...([8, 16] as const).map((lanes) =>
    tileKernel({
      lanes,
      columns: 64,
      storage,
      bias: storage,
      output: "f32",
      subgroups: true,
      reads,
    }),
  ),
  rowKernel({ storage, bias: storage, output: storage, reads: { ...reads, words: false } }),
  decodeKernel({
    columns: 64,
    headDim: 64,
    vectors: reads.words || reads.element === "f16",
    storage,
    bias: storage,
    output: "f32",
    reads,
  }),
  ...(["weights", "scores"] as const).map((matrix) =>
    matrixKernel({
      matrix,
      storage,
      bias: storage,
      output: storage,
      reads: { ...reads, words: false, mask: true, bias: true, joined: false },
    }),
  ),
  ...(storage === "f16"
    ? []
    : (["quad", "alone", "stream"] as const).flatMap((mode) =>
        [true, false].map((whole) =>
          registersKernel({
            mode,
            rows: 8,
            keys: mode === "stream" ? 1 : 2,
            headDim: 64,
            valueDim: 16,
            whole,
            output: "f32",
            reads,
          }),
        ),
      )),
]);
/** Each kernel with programs of every operation, once with numbered rows and once with lists. */
const withPrograms = ([false, true] as const).flatMap((gathered): Kernel[] => {
  const element = gathered ? "i8" : "f32";
  // Rules that a problem lacks are not in a kernel with programs.
  const programs = { ...everyProgram, rules: gathered ? everyProgram.rules : 0 };
  const bound = { mask: true, bias: true, joined: gathered, programs };
  const reads: Reads = { element, words: gathered, gathered, ...bound };
  const kinds = { storage: "f32", bias: "f32", output: "f32" } as const;
  return [
    tileKernel({ ...kinds, lanes: 8, columns: 32, subgroups: false, reads }),
    rowKernel({ ...kinds, reads: { ...reads, words: false } }),
    decodeKernel({ ...kinds, columns: 64, headDim: 64, vectors: true, reads }),
    matrixKernel({ ...kinds, matrix: "weights", reads: { ...reads, words: false } }),
    matrixKernel({ ...kinds, matrix: "scores", reads: { ...reads, words: false } }),
    ...(["quad", "alone", "stream"] as const).map((mode) =>
      registersKernel({
        mode,
        rows: 8,
        keys: mode === "stream" ? 1 : 2,
        headDim: 16,
        valueDim: 16,
        whole: true,
        output: "f32",
        reads,
      }),
    ),
    ...(gathered
      ? []
      : matrices.map((sizes) =>
          subgroupMatrixKernel({
            matrices: sizes,
            rows: 32,
            headDim: 32,
            columns: 32,
            bias: "f16",
            output: "f16",
            reads: { ...reads, element: "f16" },
          }),
        )),
  ];
});
const joinedFloat16 = rowKernel({
  storage: "f16",
  bias: "f16",
  output: "f16",
  reads: { ...plainReads("f16"), joined: true, programs: everyProgram },
});
export const allForms: readonly Kernel[] = [
  ...tiles,
  ...tilesInRuns,
  ...withPrograms,
  joinedFloat16,
  ...readers,
  ...matrixKernels,
  ...storages.flatMap(([storage, bias]) => [
    rowKernel({ storage, bias, output: storage }),
    rowKernel({ storage, bias, output: "f32" }),
    matrixKernel({ matrix: "weights", storage, bias, output: storage }),
    matrixKernel({ matrix: "scores", storage, bias, output: storage }),
  ]),
  ...storages.flatMap(([storage, bias]) =>
    ([64, 128, 256] as const).flatMap((columns) =>
      [true, false].flatMap((vectors) =>
        [storage, "f32" as const].map((output) =>
          decodeKernel({ columns, headDim: columns, vectors, storage, bias, output }),
        ),
      ),
    ),
  ),
  ...(["quad", "alone", "stream"] as const).flatMap((mode) =>
    ([8, 16] as const).flatMap((rows) =>
      [true, false].map((whole) =>
        registersKernel({
          mode,
          rows,
          keys: mode === "stream" ? 1 : 2,
          headDim: 64,
          valueDim: 16,
          whole,
          output: "f32",
        }),
      ),
    ),
  ),
  mergeKernel("f32"),
  mergeKernel("f16"),
  unpackKernel(),
  packKernel(),
  ...(["f32", "f16"] as const).flatMap((storage) =>
    // As many axes as rows can have.
    [1, 2, 3, 4, 5, 6, 7, 8].flatMap((axes) => [
      mergeWeightsKernel(storage, axes),
      mergeSumKernel(storage, axes),
    ]),
  ),
  ...(
    [
      ["f32", "f32"],
      ["f16", "f16"],
      ["f16", "f32"],
      ["f32", "f16"],
    ] as const
  ).map(([storage, table]) => rotaryKernel(storage, table)),
  rmsNormKernel("f32"),
  rmsNormKernel("f16"),
  ...(["f32", "f16"] as const).flatMap((from) =>
    (["f32", "f16", "i8"] as const).map((to) => scatterKernel(from, to)),
  ),
  scatterKernel("i8", "i8"),
  ...(["f32", "f16"] as const).flatMap((element) =>
    [false, true].map((hasBias) => projectionKernel(element, hasBias)),
  ),
];
/** The same without repetitions: kernels of one name have one text. */
export const kernels: readonly Kernel[] = [
  ...new Map(allForms.map((kernel) => [kernel.name, kernel])).values(),
];
