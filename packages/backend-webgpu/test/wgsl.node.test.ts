/**
 * Every kernel in every form that can be chosen, compiled by Dawn for a device that has all features
 * and computes nothing: some of them no adapter here can run.
 */
import { beforeAll, describe, expect, test } from "vitest";
import { decodeBytes } from "../src/attention/kernels/decode.js";
import { tileBytes } from "../src/attention/kernels/tile.js";
import { subgroupMatrixFeature } from "../src/options.js";
import { allForms, kernels } from "./kernel-forms.js";

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
    // Eight storage buffers are what every device has; with those alone, scales, mask and bias are joined.
    const joined = /-(maskless|joined)/.test(kernel.name);
    const others = (/keys-i8/.test(kernel.name) ? 2 : 0) + (/-mask-/.test(kernel.name) ? 1 : 0);
    expect(kernel.bindings.length).toBeLessThanOrEqual(8 + (joined ? 0 : others));
  });
});

test("names tell kernels apart", () => {
  for (const kernel of allForms) {
    expect(kernels.find(({ name }) => name === kernel.name)?.code).toBe(kernel.code);
  }
});

test("workgroup memory of the smallest tile is what every device has", () => {
  expect(tileBytes({ lanes: 8, storage: "f32" })).toBe(16_384);
  expect(tileBytes({ lanes: 8, storage: "f16" })).toBeLessThan(16_384);
  expect(decodeBytes({ headDim: 128 })).toBeLessThanOrEqual(16_384);
  expect(tileBytes({ lanes: 16, storage: "f32" })).toBeLessThanOrEqual(32_768);
});
