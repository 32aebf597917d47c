import type { DeviceReport } from "../../src/device-report/index.js";
import type { CaseResult, ConformanceReport } from "../../src/report/report.js";

/** A small report with every part. */
export const small: DeviceReport = {
  format: "heed-device",
  version: 1,
  created: "2026-11-29T12:00:00.000Z",
  device: "Abacus 9000",
  environment: {
    engine: "firefox",
    versions: { firefox: "153.8" },
    platform: "linux x64",
    cpu: null,
    cores: 2,
    memory: null,
  },
  conformance: [
    {
      backend: "js",
      unavailable: null,
      info: { runtime: "JavaScript", device: "CPU", features: [], threads: 1 },
      profiles: { core: { pass: 83, fail: 1, "known-failure": 0, unsupported: 2 } },
      failures: [
        { id: "core/causal", outcome: "fail", messages: ["output is wrong"], explanations: [] },
      ],
      failuresLeftOut: 0,
      refusals: [{ code: "dtype", message: "float64 is not supported", cases: 2 }],
    },
  ],
  benchmark: {
    date: "2026-11-29T12:00:00.000Z",
    dtype: "float32",
    threads: 1,
    contenders: [{ name: "js", kind: "backend", info: null, unavailable: null }],
    cases: [
      {
        ...{ id: "bert-base-512", title: "a text encoder", operation: "attention" },
        ...{ flops: 8e8, bytes: 6e6 },
        results: [
          { contender: "js", status: "measured", median: 200, p25: 190, p75: 210, count: 5 },
          { contender: "webgpu", status: "refused", message: "refuses: no adapter" },
        ],
      },
    ],
    casesLeftOut: 0,
  },
  tuning: { format: "heed-webgpu-tuning", version: 1, choices: { a: { gain: 2 } } },
};

/** A result of the suite. */
export function result(id: string, change: Partial<CaseResult> = {}): CaseResult {
  return {
    ...{ id, profile: "core", outcome: "pass", features: [], budgets: 0, nmse: 0, worst: null },
    ...{ failures: [], reasons: [], milliseconds: 1 },
    ...change,
  };
}

/** A report of the suite with these results. */
export function suiteReport(results: readonly CaseResult[]): ConformanceReport {
  return {
    ...{ backend: "wasm", unavailable: null, environment: "Node v24.21.0 linux x64", claims: [] },
    info: { runtime: "WebAssembly", device: "CPU", features: ["simd128"], threads: 1 },
    counts: { pass: 0, fail: 0, "known-failure": 0, unsupported: 0 },
    results,
  };
}
