import { InvalidInputError } from "@heed/core";
import { expect, test } from "vitest";
import { parseWorkloads } from "../src/workloads/file.js";

test("shapes, with and without names of their own", () => {
  const workloads = parseWorkloads([
    "H2,L8,D4",
    { shape: "H2,L9,D4,causal", id: "mine", title: "my model", source: "my config" },
  ]);
  expect(workloads).toMatchObject([
    { id: "B1,H2,L8,D4", suite: "custom" },
    { id: "mine", title: "my model", source: "my config", suite: "custom" },
  ]);
});

test.each([
  [{}, "an array of shapes"],
  [[], "an array of shapes"],
  [[7], "workloads[0]"],
  [["H2,L8,D4", { title: "no shape" }], "workloads[1]"],
  [[{ shape: "H2,L8,D4", seed: 3 }], "workloads[0]"],
  [["H2,L8"], "expected D"],
])("%j is refused, saying where", (value, part) => {
  expect(() => parseWorkloads(value)).toThrow(InvalidInputError);
  expect(() => parseWorkloads(value)).toThrow(part);
});
