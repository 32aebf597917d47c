/**
 * Every kernel in every form that can be chosen, compiled by Dawn for a device that has all features
 * and computes nothing: some of them no adapter here can run.
 */
import { beforeAll, describe, expect, test } from "vitest";
import { packKernel, unpackKernel } from "../src/kernels/convert.js";
import { decodeBytes, decodeKernel } from "../src/kernels/decode.js";
import type { Kernel, Storage } from "../src/kernels/kernel.js";
import { matrixKernel } from "../src/kernels/matrix.js";
import { mergeKernel } from "../src/kernels/merge.js";
import { registersKernel } from "../src/kernels/registers.js";
import { rowKernel } from "../src/kernels/row.js";
import { subgroupMatrixKernel } from "../src/kernels/subgroup-matrix.js";
import { tileBytes, tileKernel } from "../src/kernels/tile.js";
import { subgroupMatrixFeature } from "../src/options.js";

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
/** Of lavapipe and Apple, of NVIDIA, of AMD and Intel. */
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
const all: readonly Kernel[] = [
  ...tiles,
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
];
const kernels = [...new Map(all.map((kernel) => [kernel.name, kernel])).values()];

interface Dawn {
  create(flags: readonly string[]): GPU;
}
const dawn = (await import("webgpu").catch(() => null)) as Dawn | null;

describe.skipIf(dawn === null)("WGSL", () => {
  // Kept: what `create` gives must not be collected.
  const gpu = dawn?.create(["backend=null", "enable-dawn-features=allow_unsafe_apis"]);
  let device: GPUDevice;

  beforeAll(async () => {
    const adapter = (await gpu?.requestAdapter()) as GPUAdapter;
    device = await adapter.requestDevice({
      requiredFeatures: ["shader-f16", "subgroups", subgroupMatrixFeature as GPUFeatureName],
    });
  });

  test.each(kernels.map((kernel) => [kernel.name, kernel] as const))("%s", async (_, kernel) => {
    const module = device.createShaderModule({ code: kernel.code });
    const { messages } = await module.getCompilationInfo();
    expect(messages.map(({ type, lineNum, message }) => `${type} ${lineNum}: ${message}`)).toEqual(
      [],
    );
    // Eight storage buffers are what every device has.
    expect(kernel.bindings.length).toBeLessThanOrEqual(8);
  });
});

test("names tell kernels apart", () => {
  for (const kernel of all) {
    expect(kernels.find(({ name }) => name === kernel.name)?.code).toBe(kernel.code);
  }
});

test("workgroup memory of the smallest tile is what every device has", () => {
  expect(tileBytes({ lanes: 8, storage: "f32" })).toBe(16_384);
  expect(tileBytes({ lanes: 8, storage: "f16" })).toBeLessThan(16_384);
  expect(decodeBytes({ headDim: 128 })).toBeLessThanOrEqual(16_384);
  expect(tileBytes({ lanes: 16, storage: "f32" })).toBeLessThanOrEqual(32_768);
});
