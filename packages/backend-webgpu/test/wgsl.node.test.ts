/**
 * Kernels of every kind, compiled by Dawn for a device that has all features and computes nothing: some of them no
 * adapter here can run.
 */
import { describe, expect, test } from "vitest";
import { decodeBytes } from "../src/attention/kernels/decode.js";
import { tileBytes } from "../src/attention/kernels/tile.js";
import { allForms, kernels } from "./kernel-forms.js";
import { deviceOfAll, messagesTo } from "./null-device.js";

const device = await deviceOfAll();

describe.skipIf(device === null)("WGSL", () => {
  test.each(kernels.map((kernel) => [kernel.name, kernel] as const))("%s", async (_, kernel) => {
    expect(await messagesTo(device as GPUDevice, kernel.code)).toEqual([]);
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
