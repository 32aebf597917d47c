import { peerNames as provided } from "@heed/peers";
import { expect, test } from "vitest";
import { runBenchmark } from "../src/measure/run-benchmark.js";
import { peerByName, peerNames } from "../src/peers/peers.js";
import type { CaseResult } from "../src/report/report.js";
import { customWorkload } from "../src/workloads/generated.js";
import { parseShape } from "../src/workloads/shape.js";
import type { Workload } from "../src/workloads/workload.js";
import { environment, right } from "./contenders.js";

const withLengths: Workload = {
  ...customWorkload(parseShape("B2,H2,L5,D8")),
  load: async (dtype) => {
    const inputs = await customWorkload(parseShape("B2,H2,L5,D8")).load(dtype);
    return { ...inputs, kvLengths: [3, 5] };
  },
};

const workloads = [
  customWorkload(parseShape("B2,Hq4,Hkv2,Lq3,Lk9,D8")),
  customWorkload(parseShape("Hq4,Hkv2,L7,D8,causal")),
  customWorkload(parseShape("H2,L9,D8,causal,window3")),
  customWorkload(parseShape("H2,L9,D8,Dv4")),
  customWorkload(parseShape("Hq4,Hkv2,Lq1,Lk9,D8,causal,window3")),
  withLengths,
];

async function statuses(name: string): Promise<(CaseResult["status"] | undefined)[]> {
  const report = await runBenchmark({
    workloads,
    contenders: [right, peerByName(name, { threads: 1 })],
    environment,
    dtype: "float32",
    threads: 1,
    budget: 5,
    samples: 1,
  });
  expect(report.contenders[1]).toMatchObject({ status: "ready" });
  return report.cases.map(({ results }) => results[1]?.status);
}

/** A peer must be right on each case it accepts: comparing times of different problems is unfair. */
test.each([
  ["naive", ["measured", "measured", "measured", "measured", "measured", "measured"]],
  ["jax-js", ["measured", "measured", "measured", "refused", "measured", "measured"]],
  ["tfjs-wasm", ["measured", "measured", "measured", "measured", "measured", "measured"]],
  ["ruvector", ["measured", "measured", "measured", "refused", "measured", "measured"]],
  ["ort-node/attention", ["measured", "measured", "refused", "measured", "refused", "measured"]],
  ["ort-node/matmul", ["measured", "measured", "refused", "measured", "refused", "measured"]],
  ["ort-web/fused", ["refused", "measured", "measured", "measured", "measured", "measured"]],
  ["ort-node/fused", ["refused", "measured", "measured", "measured", "measured", "measured"]],
  ["ort-web/attention", ["measured", "measured", "refused", "measured", "refused", "measured"]],
  ["ort-web/matmul", ["measured", "measured", "refused", "measured", "refused", "measured"]],
])("%s computes what it accepts", async (name, expected) => {
  expect(await statuses(name)).toEqual(expected);
});

test("one peer's loading does not break another", async () => {
  const names = ["ort-web/matmul", "jax-js"];
  const report = await runBenchmark({
    workloads: [11, 13].map((length) => customWorkload(parseShape(`H2,L${length},D8`))),
    contenders: names.map((name) => peerByName(name, { threads: 1 })),
    environment,
    dtype: "float32",
    threads: 1,
    budget: 5,
    samples: 1,
  });
  const statuses = report.cases.flatMap(({ results }) => results.map(({ status }) => status));
  expect(statuses).toEqual(["measured", "measured", "measured", "measured"]);
});

test("every name is one of a provider; tfjs on JavaScript is too slow to be compared with", () => {
  // Peers with a cache of their own decode, which is no operation of core.
  const attending = peerNames.filter((name) => !name.endsWith("/cache"));
  expect([...attending, "tfjs"].sort()).toEqual([...provided].sort());
});
