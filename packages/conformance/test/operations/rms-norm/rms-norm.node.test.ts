import { js } from "@heed/backend-js";
import { onnx } from "@heed/backend-onnx";
import { wasm } from "@heed/backend-wasm";
import { type Provider, reference, rmsNorm } from "@heed/core";
import { expect, test } from "vitest";
import type { RmsNormCall } from "../../../src/operations/rms-norm/build.js";
import {
  normaliseWith,
  type RmsNormMistake,
  rmsNormMistakes,
} from "../../../src/operations/rms-norm/mistakes.js";
import { backendOf, checkOf, testMistakes } from "../one-operation.js";

/** A backend of the normalisation alone, which makes a mistake. */
function mistaken(steps: RmsNormMistake["steps"]): Provider {
  return backendOf(rmsNorm, ({ inputs }) => ({
    output: normaliseWith(inputs as RmsNormCall, steps),
  }));
}

const check = checkOf(rmsNorm);
const judged = (id: string): boolean => /^rmsNorm\/(shape|pairs)-/.test(id);

test("steps that are right pass every case", async () => {
  const results = await check(mistaken({}), () => true);
  expect(results.filter(({ outcome }) => outcome !== "pass")).toEqual([]);
});

testMistakes(
  rmsNormMistakes,
  (steps) => check(mistaken(steps), judged),
  // Coarser sums are not told from coarser rounding.
  (name) => !name.includes("float16"),
);

test.each([
  ["reference", reference],
  ["js", js],
  ["wasm", () => wasm({ threads: 1 })],
  ["onnx", () => onnx({ provider: "wasm", threads: 1 })],
] as const)("%s passes everything that it computes", async (_, provider) => {
  const results = await check(provider() as Provider, () => true);
  expect(
    results
      .filter(({ outcome }) => outcome !== "pass" && outcome !== "unsupported")
      .map(({ id, failures, worst }) => [id, failures, worst]),
  ).toEqual([]);
  expect(results.filter(({ outcome }) => outcome === "pass").length).toBeGreaterThan(25);
});
