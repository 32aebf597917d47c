import { js } from "@heed/backend-js";
import { onnx } from "@heed/backend-onnx";
import { type Provider, projection, reference } from "@heed/core";
import { expect, test } from "vitest";
import type { ProjectionCall } from "../../../src/operations/projection/build.js";
import {
  type ProjectionMistake,
  projectionMistakes,
  projectWith,
} from "../../../src/operations/projection/mistakes.js";
import { backendOf, checkOf, testMistakes } from "../one-operation.js";

/** A backend of projections alone, which makes a mistake. */
function mistaken(steps: ProjectionMistake["steps"]): Provider {
  return backendOf(projection, ({ inputs }) => ({
    output: projectWith(inputs as ProjectionCall, steps),
  }));
}

const check = checkOf(projection);
const judged = (id: string): boolean => /^projection\/(shape|pairs)-/.test(id);

test("steps that are right pass every case", async () => {
  const results = await check(mistaken({}), (id) => !id.startsWith("vectors/"));
  expect(results.filter(({ outcome }) => outcome !== "pass")).toEqual([]);
});

testMistakes(
  projectionMistakes,
  (steps) => check(mistaken(steps), judged),
  // Coarser sums are not told from coarser rounding.
  (name) => !name.includes("float16"),
);

test.each([
  ["reference", reference],
  ["js", js],
  ["onnx", () => onnx({ provider: "wasm", threads: 1 })],
] as const)("%s passes everything, recorded layers too", async (_, provider) => {
  const results = await check(provider() as Provider, () => true);
  expect(
    results
      .filter(({ outcome }) => outcome !== "pass")
      .map(({ id, failures, worst }) => [id, failures, worst]),
  ).toEqual([]);
  expect(results.filter(({ id }) => id.startsWith("vectors/"))).toHaveLength(5);
});
