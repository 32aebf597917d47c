import { Worker } from "node:worker_threads";
import { checkCase, selectCases } from "@heed/conformance";
import { expect, test } from "vitest";
import { peer } from "../src/index.js";

test("jax-js computes where onnxruntime-web has put Node's Worker on the global object", async () => {
  const scope = globalThis as { Worker?: unknown };
  const before = scope.Worker;
  scope.Worker = Worker;
  try {
    const provider = peer("jax-js");
    const backend = await provider.load();
    const [one] = selectCases({ vectors: false }).filter(({ id }) => id === "core/shape-l8-d8");
    if (one === undefined) throw new Error("there is no such case");
    expect(await checkCase({ backend, provider }, one)).toMatchObject({ outcome: "pass" });
    backend.dispose();
    expect(scope.Worker).toBe(Worker);
  } finally {
    scope.Worker = before;
  }
});
