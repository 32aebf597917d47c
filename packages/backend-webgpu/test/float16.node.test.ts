/**
 * Kernels that keep float16, deciding as on a GPU. They need an adapter with shader-f16, which
 * SwiftShader is not: docs/kernels/webgpu.md says how to test
 * them without a GPU.
 */
import { testBackend } from "@heed/conformance/vitest";
import { vi } from "vitest";
import { asOnGpuWith } from "./devices.js";
import { testForms } from "./forms.js";
import { allVariations } from "./variation.js";

// Mesa compiles a kernel for half a minute, once.
vi.setConfig({ testTimeout: 600_000 });

const provider = asOnGpuWith("shader-f16");

// Tiles; decoding; rows, parts that are merged, weights and scores.
const kernels = ["float16-alibi-window", "decode-float16", "float16-returns"];
testBackend(provider, {
  title: "float16 as on a GPU",
  filter: "float16",
  select: ({ id }) => allVariations || kernels.some((part) => id.includes(part)),
});

if (allVariations) {
  testForms("forms of float16", provider, [
    ["tile", { lengths: [70, 150], sizes: [64, 64] }],
    // Wide tiles, and slices of the value's columns.
    ["tile", { lengths: [70, 150], sizes: [128, 200] }],
    ["decode", { heads: [8, 2], lengths: [1, 300], sizes: [128, 128] }],
    // Rows that cannot be read four elements at a time.
    ["decode", { heads: [8, 2], lengths: [1, 300], sizes: [71, 59] }],
    ["row", { lengths: [70, 9], sizes: [64, 64] }],
  ]);
}
