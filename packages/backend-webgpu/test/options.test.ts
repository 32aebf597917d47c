import { type WebGpuOptions, webgpu } from "@heed/backend-webgpu";
import { InvalidInputError } from "@heed/core";
import { expect, test } from "vitest";

test.each<[string, unknown]>([
  ["options", null],
  ["options.threads", { threads: 2 }],
  ["device", { device: {} }],
  ["powerPreference", { powerPreference: "high" }],
  ["kernel", { kernel: "flash" }],
  ["features.fp16", { features: { fp16: true } }],
  [
    "features.chromium-experimental-subgroup-matrix",
    { features: { "chromium-experimental-subgroup-matrix": "on" } },
  ],
  ["features.subgroups", { features: { subgroups: 1 } }],
])("%s is named where it is wrong", (argument, options) => {
  const error = (() => {
    try {
      webgpu(options as WebGpuOptions);
    } catch (thrown) {
      return thrown;
    }
  })();
  expect(error).toBeInstanceOf(InvalidInputError);
  expect(error).toMatchObject({ argument });
});

test("making a provider loads nothing", () => {
  expect(webgpu({ features: { subgroups: false } }).name).toBe("webgpu");
});
