import { expect, test } from "vitest";
import { rooflineOf } from "../src/plots/roofline.js";
import { seriesOf } from "../src/plots/series.js";
import type { BenchReport } from "../src/report/report.js";
import { environment } from "./contenders.js";
import { madeUp, withWrong } from "./reports.js";

/** A report whose medians are set: `times[contender][i]` ms at length 64·2^i. */
function timed(times: Record<string, readonly number[]>): BenchReport {
  const contenders = Object.fromEntries(Object.keys(times).map((name) => [name, 1]));
  const cases = Math.max(...Object.values(times).map(({ length }) => length));
  const report = madeUp({ seed: "timed", contenders, cases });
  return {
    ...report,
    cases: report.cases.map((c, i) => ({
      ...c,
      results: c.results.flatMap((result) => {
        const median = times[result.contender]?.[i];
        if (result.status !== "measured" || median === undefined) return [];
        return [{ ...result, timing: { ...result.timing, median, p25: median, p75: median } }];
      }),
    })),
  };
}

test("curves go by size, and cross where the winner changes, on logarithmic axes", () => {
  // cost a·L against b·L²: equal where L = a/b
  const [series] = seriesOf(timed({ linear: [64, 128, 256, 512], square: [4, 16, 64, 256] }));
  expect(series).toMatchObject({ name: "made up", axis: "length" });
  expect(series?.points.map(({ contender, at }) => `${contender} ${at}`).slice(0, 5)).toEqual([
    "linear 64",
    "linear 128",
    "linear 256",
    "linear 512",
    "square 64",
  ]);
  expect(series?.crossovers).toEqual([]);

  const [tie] = seriesOf(timed({ linear: [64, 128, 256, 512], square: [16, 64, 256, 1024] }));
  expect(tie?.crossovers).toEqual([
    expect.objectContaining({ from: "square", to: "linear", at: expect.closeTo(256, 6) }),
  ]);
  const [later] = seriesOf(timed({ linear: [90, 180, 360, 720], square: [16, 64, 256, 1024] }));
  expect(later?.crossovers).toEqual([
    expect.objectContaining({ from: "square", to: "linear", at: expect.closeTo(360, 6) }),
  ]);
});

test("no curve without two sizes, and no crossing where a winner has no line", () => {
  expect(seriesOf(timed({ js: [1] }))).toEqual([]);
  expect(seriesOf(timed({ js: [1, 2], wasm: [2] }))[0]?.crossovers).toEqual([]);
});

test("the roofline has a point a result and a roof a ceiling", () => {
  const report = madeUp({ seed: "roof", contenders: { js: 1, wasm: 2 }, cases: 3 });
  const ceiling = {
    threads: 2,
    arithmetic: [
      { features: "simd128", gflops: 20 },
      { features: "relaxed-simd", gflops: 40 },
    ],
    readGBps: 10,
  };
  expect(rooflineOf(report).roofs).toEqual([]);
  const { points, roofs } = rooflineOf({ ...report, environments: [{ ...environment, ceiling }] });
  expect(points).toHaveLength(6);
  expect(roofs).toEqual([{ environment: "node", threads: 2, gflops: 40, gbps: 10 }]);
  const [{ flops = 0, bytes = 0 } = {}] = report.cases;
  expect(points[0]?.intensity).toBe(flops / bytes);
});

test("what is wrong has no place in a curve or under a roof, though it was timed", () => {
  const report = withWrong(timed({ js: [4, 8, 16], wasm: [2, 4, 8] }), "wasm");
  expect(new Set(seriesOf(report)[0]?.points.map(({ contender }) => contender))).toEqual(
    new Set(["js"]),
  );
  expect(rooflineOf(report).points.map(({ contender }) => contender)).toEqual(["js", "js", "js"]);
});
