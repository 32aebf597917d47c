/**
 * The kernel of subgroups' matrices. It needs an adapter with the experimental feature: docs/kernels/webgpu.md says
 * how to test it without a GPU.
 */
import { testBackend } from "@heed/conformance/vitest";
import { vi } from "vitest";
import { subgroupMatrixFeature } from "../src/options.js";
import { asOnGpuWith } from "./devices.js";
import { testForms } from "./forms.js";

// Mesa compiles a kernel for half a minute, once.
vi.setConfig({ testTimeout: 600_000 });

const provider = asOnGpuWith(subgroupMatrixFeature, "subgroup-matrix");

testBackend(provider, { title: "matrices of subgroups", filter: "float16" });

testForms("forms for matrices of subgroups", provider, [
  ["subgroup-matrix", { lengths: [70, 150], sizes: [64, 64] }],
  // Keys in parts that are merged, slices of the value's columns.
  ["subgroup-matrix", { heads: [4, 2], lengths: [70, 300], sizes: [128, 200] }],
  // Too wide for workgroup memory.
  ["tile", { lengths: [70, 50], sizes: [1024, 16] }],
]);
