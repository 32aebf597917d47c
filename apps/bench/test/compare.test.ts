import { describe, expect, test } from "vitest";
import { compareReports } from "../src/compare/compare.js";
import { holm } from "../src/compare/holm.js";
import { trimmedMean, welch } from "../src/compare/t-test.js";
import { formatBasis } from "../src/compare/words.js";
import { parseReport } from "../src/report/parse.js";
import { type MadeUp, madeUp } from "./reports.js";

const contenders = { js: 4, wasm: 1, webgpu: 2 };

function compare(before: Partial<MadeUp>, after: Partial<MadeUp>) {
  return compareReports(
    madeUp({ seed: "before", contenders, ...before }),
    madeUp({ seed: "after", contenders, ...after }),
  );
}

test("that the runtimes differ is said", () => {
  const node = madeUp({ seed: "before", contenders });
  const browser = {
    ...madeUp({ seed: "after", contenders }),
    environments: node.environments.map((e) => ({
      ...e,
      name: "chromium",
      versions: { chromium: "156" },
    })),
  };
  expect(compareReports(node, browser).caveats).toEqual([
    "the runtime was node (node 20.19.0), and is chromium (chromium 156)",
  ]);
  expect(compareReports(node, node).caveats).toEqual([]);
});

test("made-up reports are reports", () => {
  expect(() => parseReport(madeUp({ seed: "any", contenders, launches: 2 }))).not.toThrow();
});

describe("a regression of 20 % in one backend is flagged, and nothing else is", () => {
  const slower = { js: 4, wasm: 1.2, webgpu: 2 };

  test("over all cases, from one launch each", () => {
    // As many cases as are measured by default.
    const cases = 14;
    const { contenders: found } = compare({ cases }, { cases, contenders: slower });
    const verdicts = found.map(({ contender, verdict }) => [contender, verdict]);
    expect(verdicts).toEqual([
      ["js", "same"],
      ["wasm", "slower"],
      ["webgpu", "same"],
    ]);
  });

  test("case by case, from several launches", () => {
    const launches = 7;
    const { cases } = compare({ launches }, { launches, contenders: slower });
    const flagged = cases.filter(({ verdict }) => verdict === "slower");
    expect(flagged.length).toBeGreaterThanOrEqual(5);
    expect(new Set(flagged.map(({ contender }) => contender))).toEqual(new Set(["wasm"]));
  });

  test("and the other way round it is faster", () => {
    const cases = 14;
    const { contenders: found } = compare({ cases, contenders: slower }, { cases });
    expect(found.find(({ contender }) => contender === "wasm")?.verdict).toBe("faster");
  });
});

test.each([
  [1, 0],
  // One in a hundred is what is allowed for.
  [5, 1],
])(
  "of fifty unchanged pairs of runs of %i launches, at most %i raise an alarm",
  (launches, allowed) => {
    const alarms = new Set<string>();
    for (let run = 0; run < 50; run++) {
      const comparison = compare(
        { seed: `before ${run}`, launches },
        { seed: `after ${run}`, launches },
      );
      for (const { verdict } of [...comparison.contenders, ...comparison.cases]) {
        if (verdict === "slower" || verdict === "faster") alarms.add(`run ${run}`);
      }
    }
    expect(alarms.size).toBeLessThanOrEqual(allowed);
  },
);

test("a machine that has become slower altogether is no slower backend", () => {
  const comparison = compare({}, { machine: 1.5 });
  expect(comparison.machine).toBeGreaterThan(1.4);
  expect(comparison.contenders.map(({ verdict }) => verdict)).toEqual(["same", "same", "same"]);
  for (const { before, after } of comparison.cases) expect(after / before).toBeGreaterThan(1.2);
});

test("with one launch each, a single case cannot be told from its process's luck", () => {
  const { cases } = compare({ cases: 1 }, { cases: 1, contenders: { ...contenders, wasm: 2 } });
  expect(cases.find(({ contender }) => contender === "wasm")).toMatchObject({
    p: null,
    verdict: "unsure",
  });
});

test("too few cases to tell from chance are called that", () => {
  const slower = { ...contenders, wasm: 2 };
  const basis = (cases: number) => {
    const { contenders: found } = compare({ cases }, { cases, contenders: slower });
    return found.map((one) => `${one.verdict} ${formatBasis(one)}`)[1];
  };
  expect(basis(3)).toBe("unsure over 3 cases: too few to tell from chance, which takes 4");
  expect(basis(8)).toMatch(/^slower over 8 cases, p /);
});

test("what only one of the runs has is named, and other conditions are", () => {
  const before = madeUp({ seed: "a", contenders: { js: 1, wasm: 1 }, cases: 2 });
  const after = madeUp({ seed: "b", contenders: { js: 1 }, cases: 3 });
  const [place] = after.environments;
  if (!place) throw new Error("unreachable");
  const elsewhere = { ...after, environments: [{ ...place, cpu: "Abacus 9001" }] };
  const comparison = compareReports(before, elsewhere);
  expect(comparison.unmatched).toEqual(["case-0 wasm", "case-1 wasm", "case-2 js"]);
  expect(comparison.caveats).toEqual([
    "node: the machine was Abacus 9000, 2 cores, linux x64, and is Abacus 9001, 2 cores, linux x64",
  ]);
  expect(compareReports(before, { ...after, cases: [] })).toMatchObject({ cases: [] });
});

test("p-values of textbook samples", () => {
  // Student's sleep data (1908); the groups by Welch, p = 0.07939.
  const one = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0, 2];
  const two = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4];
  const differences = one.map((x, i) => x - (two[i] as number));
  // Four values are too few to trim: Student's test, p = 0.0121230 by scipy.stats.ttest_1samp.
  const four = trimmedMean(differences.slice(0, 4));
  expect(four.value).toBeCloseTo(-1.55, 12);
  expect(four.p).toBeCloseTo(0.012123, 6);
  // Ten values lose two at either end: the middle six of -4.6 -2.4 -1.8 -1.4 -1.3 -1.3 -1.2 -1 -0.8 0.
  expect(trimmedMean(differences).value).toBeCloseTo(-8 / 6, 12);
  const slept = welch(one, two);
  expect(slept?.p).toBeCloseTo(0.07939, 5);
  // R's t.test(extra ~ group): -3.3654832 to 0.2054832, the first group's less the second's.
  expect(slept?.interval[0]).toBeCloseTo(-0.2054832, 6);
  expect(slept?.interval[1]).toBeCloseTo(3.3654832, 6);
  expect(welch([1], [2, 3])).toBeNull();
  expect(trimmedMean([2])).toEqual({ value: 2, p: null, interval: null });
  expect(welch([1, 1], [1, 1])).toEqual({ p: 1, interval: [0, 0] });
  expect(welch([1, 1], [2, 2])).toEqual({ p: 0, interval: [1, 1] });
});

test("a few cases that are far out neither hide a change nor make one", () => {
  const changed = [0.18, 0.2, 0.17, 0.19, 0.21, 0.18, 0.16, 0.2, -0.6, -0.5];
  expect(trimmedMean(changed).value).toBeGreaterThan(0.15);
  expect(trimmedMean(changed).p).toBeLessThan(0.01);
  const same = [0.01, -0.02, 0, 0.01, -0.01, 0.02, 0, -0.01, 0.9, 0.8];
  expect(Math.abs(trimmedMean(same).value)).toBeLessThan(0.02);
});

test("Holm's correction", () => {
  expect(holm([0.01, 0.04, null, 0.03])).toEqual([0.03, 0.06, null, 0.06]);
  expect(holm([0.5, 0.9])).toEqual([1, 1]);
});
