import { js } from "@heed/backend-js";
import { onnx } from "@heed/backend-onnx";
import { type Provider, projection, reference } from "@heed/core";
import { describe, expect, test } from "vitest";
import type { ProjectionCall } from "../../../src/operations/projection/build.js";
import {
  type ProjectionMistake,
  projectionMistakes,
  projectWith,
} from "../../../src/operations/projection/mistakes.js";
import { backendOf, checkOf } from "../one-operation.js";

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

describe("a backend in which", () => {
  test.each(projectionMistakes.map(({ name, steps }) => [name, steps] as const))(
    "%s is found, and told",
    async (name, steps) => {
      const results = await check(mistaken(steps), judged);
      const failing = results.filter(({ outcome }) => outcome === "fail");
      expect(failing).not.toEqual([]);
      // Coarser sums are not told from coarser rounding.
      if (name.includes("float16")) return;
      const told = failing.filter(({ explanations = [] }) => explanations.flat().includes(name));
      expect(told.length).toBeGreaterThan(0);
    },
  );
});

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
