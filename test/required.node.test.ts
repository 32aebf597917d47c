import { resolve } from "node:path";
import { expect, test } from "vitest";
// @ts-expect-error a script without types
import { unknownRequirements } from "../tools/test/required.js";

test("a required name is a backend's, an engine's or a GPU feature's", () => {
  const known = ["js", "wasm", "webgpu", "onnx", "chromium", "bun", "shader-f16"];
  expect(unknownRequirements(known, resolve("."))).toEqual([]);
  expect(unknownRequirements(["js", "wsam"], resolve("."))).toEqual(["wsam"]);
});
