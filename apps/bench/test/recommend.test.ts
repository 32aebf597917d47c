import { checkRecommendation } from "@heed/core";
import { expect, test } from "vitest";
import { holdsFor, recommend } from "../src/recommend/recommend.js";
import { renderAdvice } from "../src/recommend/render.js";
import { segment } from "../src/recommend/segments.js";
import type { BenchReport } from "../src/report/report.js";
import { madeUp, withWrong } from "./reports.js";

type Times = Record<string, readonly number[]>;

/** A report of cases at 64, 128, … with set medians; decoding puts the sizes on the keys' side. */
function timed(times: Times, decode = false): BenchReport {
  const contenders = Object.fromEntries(Object.keys(times).map((name) => [name, 1]));
  const cases = Math.max(...Object.values(times).map(({ length }) => length));
  const report = madeUp({ seed: "timed", contenders, cases });
  return {
    ...report,
    cases: report.cases.map((c, i) => ({
      ...c,
      id: `${c.id} ${decode}`,
      sizes: { ...c.sizes, ...(decode && { queryLength: 1 }) },
      results: c.results.flatMap((result) => {
        const median = times[result.contender]?.[i];
        if (result.status !== "measured" || median === undefined) return [];
        return [{ ...result, timing: { ...result.timing, median } }];
      }),
    })),
  };
}

function rulesOf(report: BenchReport) {
  const [advice] = recommend(report);
  if (!advice) throw new Error("no advice");
  checkRecommendation("advice", JSON.parse(JSON.stringify(advice.recommendation)));
  return { rules: advice.recommendation.rules, words: advice.words };
}

test("one backend throughout is one rule without limits", () => {
  const { rules, words } = rulesOf(timed({ js: [4, 8, 16], wasm: [2, 4, 8] }));
  expect(rules).toEqual([{ when: {}, prefer: [{ backend: "wasm" }, { backend: "js" }] }]);
  expect(words).toEqual(["prefill: wasm, 2.0 times as fast as js (3 cases)"]);
});

test("where the winner changes for good, so does the rule", () => {
  const { rules, words } = rulesOf(timed({ wasm: [1, 2, 8, 32], webgpu: [3, 3, 4, 8] }));
  expect(rules).toEqual([
    { when: { queryLength: { to: 181 } }, prefer: [{ backend: "wasm" }, { backend: "webgpu" }] },
    { when: { queryLength: { from: 182 } }, prefer: [{ backend: "webgpu" }, { backend: "wasm" }] },
  ]);
  expect(words[1]).toBe("prefill over 181 queries: webgpu, 2.8 times as fast as wasm (2 cases)");
});

test("a winner by a hair at one size is no rule of its own", () => {
  expect(rulesOf(timed({ js: [1, 2, 4.1, 8], wasm: [2, 4, 4, 16] })).rules).toHaveLength(1);
});

test("decoding goes by the keys, and comes before prefill", () => {
  const prefill = timed({ js: [4, 8], wasm: [2, 4] });
  const decode = timed({ js: [1, 1], wasm: [2, 2] }, true);
  const { rules, words } = rulesOf({ ...prefill, cases: [...prefill.cases, ...decode.cases] });
  expect(rules[0]).toEqual({
    when: { queryLength: { to: 8 }, keyLength: { from: 9 } },
    prefer: [{ backend: "js" }, { backend: "wasm" }],
  });
  expect(words.map((line) => line.split(",")[0])).toEqual(["decode: js", "prefill: wasm"]);
});

test("threads are part of it; providers and peers are not", () => {
  const report = timed({ "wasm@4": [1, 1], "onnx:cpu": [2, 2], naive: [0.1, 0.1] });
  const contenders = report.contenders.map((c) => ({
    ...c,
    kind: c.name === "naive" ? ("peer" as const) : c.kind,
    ...(c.info && { info: { ...c.info, threads: c.name === "wasm@4" ? 4 : 1 } }),
  }));
  const { rules, words } = rulesOf({ ...report, contenders });
  expect(rules[0]?.prefer).toEqual([{ backend: "wasm", threads: 4 }, { backend: "onnx" }]);
  expect(words[0]).toContain("prefill: wasm ×4, 2.0 times as fast as onnx:cpu");
});

test("one that was wrong is not recommended, however fast", () => {
  const report = timed({ js: [4, 8], wasm: [1, 1] });
  const [first, second] = report.cases;
  if (!first || !second) throw new Error("unreachable");
  const results = second.results.map((result) =>
    result.contender === "wasm"
      ? ({ contender: "wasm", status: "failed", message: "lost" } as const)
      : result,
  );
  const { rules } = rulesOf({ ...report, cases: [first, { ...second, results }] });
  expect(rules[0]?.prefer).toEqual([{ backend: "js" }]);
});

test("where it refuses, others take over", () => {
  const { rules } = rulesOf(timed({ fast: [1], js: [4, 4, 4], wasm: [3, 3, 3] }));
  expect(rules.map(({ prefer }) => prefer.map(({ backend }) => backend))).toEqual([
    ["fast", "wasm", "js"],
    ["wasm", "js"],
  ]);
});

test("what is recommended is for host tensors; what is fastest on resident ones is said apart", () => {
  const report = timed({ wasm: [1, 2], onnx: [1.5, 3] });
  const through = (contender: string, ms: number) =>
    contender === "wasm" ? { host: 4 * ms, resident: ms } : { host: ms };
  const cases = report.cases.map((c) => ({
    ...c,
    results: c.results.map((result) => {
      if (result.status !== "measured") return result;
      const { host, resident } = through(result.contender, result.timing.median) as {
        host: number;
        resident?: number;
      };
      const attention = {
        host: { ...result.timing, median: host },
        ...(resident !== undefined && { resident: { ...result.timing, median: resident } }),
      };
      return { ...result, attention };
    }),
  }));
  const [advice] = recommend({ ...report, cases });
  expect(advice?.recommendation.rules).toEqual([
    { when: {}, prefer: [{ backend: "onnx" }, { backend: "wasm" }] },
  ]);
  expect(advice?.words).toEqual(["prefill: onnx, 2.7 times as fast as wasm (2 cases)"]);
  expect(advice?.resident).toEqual(["prefill: wasm, 1.5 times as fast as onnx (2 cases)"]);
  expect(advice?.holds).toBe(holdsFor.host);
  const said = renderAdvice(advice ? [advice] : []);
  expect(said).toMatch(/^to use in node, for calls on tensors in JavaScript's memory:/);
  expect(said).toContain("for calls on tensors that stay in the memory of the backend that runs:");
  // A file without such numbers is about inputs where they lay.
  expect(recommend(report)[0]).toMatchObject({ holds: holdsFor.asMeasured, resident: [] });
});

test("a module's path is no environment, and a backend is recommended by its own name", () => {
  const report = timed({ "./dist/mine.js": [1, 2], js: [2, 4] });
  const contenders = report.contenders.map((c) =>
    c.name === "js" ? c : { ...c, backend: "mine" },
  );
  const { rules, words } = rulesOf({ ...report, contenders });
  expect(rules[0]?.prefer).toEqual([{ backend: "mine" }, { backend: "js" }]);
  expect(words).toEqual(["prefill: ./dist/mine.js, 2.0 times as fast as js (2 cases)"]);
});

test("nothing measured is no advice", () => {
  expect(recommend({ ...madeUp({ seed: "none", contenders: { js: 1 } }), cases: [] })).toEqual([]);
});

test("segments lose least, and no more are made than are worth it", () => {
  const losses: Record<string, readonly number[]> = { a: [0, 0, 5, 5, 0], b: [5, 5, 0, 0, 1] };
  const cut = (worth: number) =>
    segment([0, 1, 2, 3, 4], ["a", "b"], (name, i) => losses[name]?.[i] ?? 0, worth).map(
      ({ sizes, ranking }) => [ranking[0], ...sizes],
    );
  expect(cut(0.5)).toEqual([
    ["a", 0, 1],
    ["b", 2, 3],
    ["a", 4],
  ]);
  expect(cut(2)).toEqual([
    ["a", 0, 1],
    ["b", 2, 3, 4],
  ]);
  expect(cut(100)).toEqual([["a", 0, 1, 2, 3, 4]]);
});

test("what is wrong is not recommended, however fast it is", () => {
  const report = withWrong(timed({ js: [4, 8, 16], wasm: [2, 4, 8] }), "wasm");
  expect(rulesOf(report).rules).toEqual([{ when: {}, prefer: [{ backend: "js" }] }]);
});
