/** The WGSL of one form of each kernel, so that a change of it is seen for what it is. */
import { expect, test } from "vitest";
import { decodeKernel } from "../src/attention/kernels/decode.js";
import { matrixKernel } from "../src/attention/kernels/matrix.js";
import { mergeKernel } from "../src/attention/kernels/merge.js";
import { registersKernel } from "../src/attention/kernels/registers.js";
import { rowKernel } from "../src/attention/kernels/row.js";
import { subgroupMatrixKernel } from "../src/attention/kernels/subgroup-matrix.js";
import { tileKernel } from "../src/attention/kernels/tile.js";
import { packKernel, unpackKernel } from "../src/convert/kernels.js";
import { mergeSumKernel, mergeWeightsKernel } from "../src/merge/kernel.js";
import { projectionKernel } from "../src/projection/kernel.js";
import { rmsNormKernel } from "../src/rms-norm/kernel.js";
import { rotaryKernel } from "../src/rotary/kernel.js";
import { scatterKernel } from "../src/scatter/kernel.js";
import type { Kernel } from "../src/wgsl/kernel.js";

const lists = { words: true, gathered: true, mask: true, bias: true } as const;
const f32 = { storage: "f32", bias: "f32", output: "f32" } as const;

const kernels: readonly Kernel[] = [
  tileKernel({ ...f32, lanes: 8, columns: 32, subgroups: false }),
  tileKernel({
    storage: "f16",
    bias: "f32",
    output: "f16",
    lanes: 16,
    columns: 64,
    subgroups: true,
  }),
  decodeKernel({ ...f32, columns: 128, headDim: 128, vectors: true }),
  rowKernel(f32),
  // Keys in lists: int8 with its scales, float16 without shader-f16.
  decodeKernel({
    ...f32,
    columns: 64,
    headDim: 64,
    vectors: true,
    reads: { ...lists, element: "i8" },
  }),
  tileKernel({
    ...f32,
    lanes: 8,
    columns: 32,
    subgroups: false,
    reads: { ...lists, element: "f16-words" },
  }),
  registersKernel({
    mode: "quad",
    rows: 8,
    keys: 2,
    headDim: 16,
    valueDim: 16,
    whole: true,
    output: "f32",
  }),
  registersKernel({
    mode: "stream",
    rows: 4,
    keys: 1,
    headDim: 16,
    valueDim: 16,
    whole: false,
    output: "f32",
  }),
  subgroupMatrixKernel({
    matrices: { m: 16, n: 8, k: 16 },
    rows: 64,
    headDim: 64,
    columns: 64,
    bias: "f16",
    output: "f16",
  }),
  matrixKernel({ ...f32, matrix: "weights" }),
  matrixKernel({ ...f32, matrix: "scores" }),
  mergeKernel("f32"),
  packKernel(),
  unpackKernel(),
  rotaryKernel("f32", "f32"),
  rmsNormKernel("f32"),
  scatterKernel("f32", "f16"),
  projectionKernel("f16", true),
  scatterKernel("f16", "i8"),
  mergeWeightsKernel("f16", 1),
  mergeSumKernel("f32", 1),
  mergeSumKernel("f16", 3),
];

test.each(kernels.map((kernel) => [kernel.name, kernel] as const))("%s", async (name, { code }) => {
  await expect(code).toMatchFileSnapshot(`snapshots/${name}.wgsl`);
});
