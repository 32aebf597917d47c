import { expect, test } from "vitest";
import { failureCharacters } from "../../src/device-report/bounds.js";
import {
  conformancePart,
  environmentOf,
  makeDeviceReport,
  totals,
} from "../../src/device-report/index.js";
import { result, small, suiteReport } from "./reports.js";

const refused = {
  outcome: "unsupported",
  reasons: [{ code: "dtype", message: "no float64" }],
} as const;

test("results become counts, failures with their reasons, and refusals", () => {
  const [part] = conformancePart([
    suiteReport([
      result("core/a"),
      result("core/b", {
        outcome: "fail",
        failures: ["output is wrong in 80 of 80 rows"],
        explanations: [["the scale is missing", "causal comes first"]],
      }),
      result("masks/a", { profile: "masks", ...refused }),
      result("masks/b", { profile: "masks", ...refused }),
    ]),
  ]);
  expect(part).toEqual({
    backend: "wasm",
    unavailable: null,
    info: { runtime: "WebAssembly", device: "CPU", features: ["simd128"], threads: 1 },
    profiles: {
      core: { pass: 1, fail: 1, "known-failure": 0, unsupported: 0 },
      masks: { pass: 0, fail: 0, "known-failure": 0, unsupported: 2 },
    },
    failures: [
      {
        id: "core/b",
        outcome: "fail",
        messages: ["output is wrong in 80 of 80 rows"],
        explanations: ["the scale is missing, and causal comes first"],
      },
    ],
    failuresLeftOut: 0,
    refusals: [{ code: "dtype", message: "no float64", cases: 2 }],
  });
  expect(part && totals(part)).toEqual({ pass: 1, fail: 1, "known-failure": 0, unsupported: 2 });
});

test("a suite in which everything fails, at length, still fits into a file", () => {
  const failing = Array.from({ length: 1600 }, (_, i) =>
    result(`core/${i}`, { outcome: "fail", failures: ["wrong ".repeat(100)] }),
  );
  const backends = Array.from({ length: 8 }, () => suiteReport(failing));
  const conformance = conformancePart(backends);
  const kept = conformance.flatMap(({ failures }) => failures);
  expect(kept.length).toBeGreaterThan(20);
  expect(JSON.stringify(kept).length).toBeLessThanOrEqual(failureCharacters);
  expect(conformance.map((one) => one.failures.length + one.failuresLeftOut)).toEqual(
    Array(8).fill(1600),
  );
  const { environment } = small;
  expect(makeDeviceReport({ environment, conformance }).conformance).toHaveLength(8);
});

test.each([
  ["Node v24.21.0 linux x64", "node", "24.21.0", "linux x64"],
  ["Deno 2.9.1 darwin arm64", "deno", "2.9.1", "darwin arm64"],
  ["Bun 1.4.0 linux x64", "bun", "1.4.0", "linux x64"],
])("%s is an environment", (environment, engine, version, platform) => {
  expect(environmentOf({ ...suiteReport([]), environment })).toEqual({
    ...{ engine, versions: { [engine]: version }, platform },
    ...{ cpu: null, cores: null, memory: null },
  });
});

test("a user agent is none", () => {
  const environment = "Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0";
  expect(environmentOf({ ...suiteReport([]), environment })).toBeNull();
});
