import { js } from "@heed/backend-js";
import { type HostTensor, type Provider, reference, scatter } from "@heed/core";
import { expect, test } from "vitest";
import type { ScatterCall } from "../../../src/operations/scatter/build.js";
import {
  type ScatterMistake,
  scatterMistakes,
  scatterWith,
  store,
} from "../../../src/operations/scatter/mistakes.js";
import { backendOf, checkOf, testMistakes } from "../one-operation.js";

/** A backend of scatter alone, which makes a mistake. */
function mistaken(steps: ScatterMistake["steps"]): Provider {
  return backendOf(scatter, ({ inputs, outputs, target, scales }) => {
    const made = scatterWith(inputs as ScatterCall, steps);
    store(target as HostTensor, made.target);
    if (scales) store(scales as HostTensor, made.scales as HostTensor);
    return outputs;
  });
}

const check = checkOf(scatter);
const judged = (id: string): boolean => /^scatter\/(shape|edges|nan|pairs)-/.test(id);

test("steps that are right pass every case", async () => {
  const results = await check(mistaken({}), () => true);
  const failing = results.filter(({ outcome }) => outcome === "fail");
  // The recorded cache needs attention, which this backend lacks.
  expect(failing.map(({ id }) => id)).toEqual(["vectors/serving/append_plain_gqa"]);
});

testMistakes(scatterMistakes, (steps) => check(mistaken(steps), judged));

const backwards: ScatterMistake["steps"] = {
  from: ({ b, i, h, problem: p }) => (b * p.heads + h) * p.count + (p.count - 1 - i),
};

test.each<[string, string, ScatterMistake["steps"]]>([
  ["chunks", "the rows of a call come in backwards", backwards],
  ["token-by-token", "the rows of a call come in backwards", backwards],
  [
    "order-of-rows",
    "an odd row clears the element after it",
    { spill: ({ headDim }) => headDim % 2 },
  ],
])("the law %s is broken by a backend in which %s", async (law, _, steps) => {
  const results = await check(mistaken(steps), (id) => id === `scatter/law-${law}`);
  expect(results.map(({ outcome }) => outcome)).toEqual(["fail"]);
});

test.each([
  ["reference", reference],
  ["js", js],
] as const)("%s passes everything, recorded vectors too", async (_, provider) => {
  const results = await check(provider(), () => true);
  expect(results.filter(({ outcome }) => outcome !== "pass")).toEqual([]);
  expect(results.filter(({ id }) => id.startsWith("vectors/"))).toHaveLength(3);
});
