import { expect, test } from "vitest";
import { recommend } from "../src/recommend/recommend.js";
import { mergeEnvironments } from "../src/report/merge-environments.js";
import { parseReport } from "../src/report/parse.js";
import { rowsOf } from "../src/report/rows.js";
import { madeUp, withWrong } from "./reports.js";

function inChromium() {
  const report = madeUp({ seed: "there", contenders: { js: 2, wasm: 1 }, cases: 3 });
  return {
    ...report,
    environments: report.environments.map((e) => ({ ...e, name: "chromium" })),
    contenders: report.contenders.map((c) => ({ ...c, environment: "chromium" })),
  };
}

const here = madeUp({ seed: "here", contenders: { js: 4, wasm: 1 }, cases: 2 });

test("environments stand side by side, case by case", () => {
  const merged = mergeEnvironments([here, inChromium()]);
  expect(parseReport(JSON.parse(JSON.stringify(merged)))).toEqual(merged);
  expect(merged.environments.map(({ name }) => name)).toEqual(["node", "chromium"]);
  const names = ["js", "wasm", "chromium/js", "chromium/wasm"];
  expect(merged.contenders.map(({ name }) => name)).toEqual(names);
  expect(merged.cases.map(({ results }) => results.map(({ contender }) => contender))).toEqual([
    names,
    names,
    ["chromium/js", "chromium/wasm"],
  ]);
  const ratios = rowsOf(merged)
    .slice(0, 4)
    .map(({ numbers }) => numbers?.ratio?.paired ?? null);
  expect(ratios).toEqual([null, true, false, false]);
});

test("each environment gets advice of its own, in backends' own names", () => {
  const advice = recommend(mergeEnvironments([here, inChromium()]));
  expect(advice.map(({ environment }) => environment)).toEqual(["node", "chromium"]);
  expect(advice[1]?.recommendation.rules[0]?.prefer).toEqual([
    { backend: "wasm" },
    { backend: "js" },
  ]);
});

test("two of the same name are told apart, and another problem is another case", () => {
  const again = mergeEnvironments([here, here]);
  expect(again.environments.map(({ name }) => name)).toEqual(["node", "node-2"]);
  expect(again.contenders.at(-1)?.name).toBe("node-2/wasm");
  const changed = { ...here, cases: here.cases.map((c) => ({ ...c, problem: "another" })) };
  expect(mergeEnvironments([here, changed]).cases[0]?.results).toHaveLength(2);
});

test("what is wrong elsewhere keeps its times, and its ratio is no pair", () => {
  const merged = mergeEnvironments([here, withWrong(inChromium(), "wasm")]);
  const row = rowsOf(merged).find(({ result }) => result.contender === "chromium/wasm");
  expect(row?.numbers).toBeNull();
  expect(row?.shown).toMatchObject({ wrong: true, ratio: { paired: false } });
});
