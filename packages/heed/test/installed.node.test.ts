/** The built package as an application has it, in every runtime at hand, with optional packages and without. */
import { rm } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { built, install, run, runtimes } from "./installed.js";

const optional = ["onnxruntime-node", "webgpu"];

const script = `
  import { createAttention, scaledDotProductAttention, tensor } from "heed";
  const t = tensor(new Float32Array(8).fill(1), [1, 1, 2, 4]);
  const call = { query: t, key: t, value: t };
  const attention = await createAttention();
  const { backend, output } = await attention.run(call);
  const { others } = attention.explain(call);
  const named = await createAttention({ backends: ["onnx", "js"], fallback: "silent" });
  const byName = (await named.run(call)).backend;
  await Promise.all([attention.dispose(), named.dispose()]);
  const direct = await scaledDotProductAttention(t, t, t);
  console.log(JSON.stringify({ backend, others, byName, values: [...output.data, ...direct.data] }));
`;

interface Printed {
  readonly backend: string;
  readonly others: readonly {
    readonly backend: string;
    readonly reasons: readonly { readonly code: string; readonly message: string }[];
  }[];
  readonly byName: string;
  readonly values: readonly number[];
}

describe.skipIf(!built)("installed", () => {
  const targets = { alone: "", "with optional packages": "" };
  beforeAll(async () => {
    for (const name of Object.keys(targets) as (keyof typeof targets)[]) {
      targets[name] = await install(name === "alone" ? [] : optional, script);
    }
  });
  afterAll(() =>
    Promise.all(Object.values(targets).map((target) => rm(target, { recursive: true }))),
  );

  test.each(runtimes)("alone, $name computes on wasm and says why", async (runtime) => {
    const { backend, others, byName, values } = (await run(runtime, targets.alone)) as Printed;
    expect(values).toEqual(Array(16).fill(1));
    expect(backend).toBe("wasm");
    expect(byName).toBe("js");
    const reasons = Object.fromEntries(others.map((o) => [o.backend, o.reasons[0]]));
    expect(reasons.webgpu?.code).toBe("unavailable");
    expect(reasons.js).toEqual({ code: "not-tried", message: "not loaded, since wasm runs it" });
    if (!runtime.name.startsWith("Node")) return;
    expect(reasons.webgpu?.message).toMatch(/package webgpu, which is not installed/);
    expect(reasons.onnx?.message).toMatch(/onnxruntime-node is not installed/);
  });

  test.each(runtimes.filter(({ name }) => name.startsWith("Node")))(
    "with optional packages, $name computes on them",
    async (runtime) => {
      const { backend, others, byName, values } = (await run(
        runtime,
        targets["with optional packages"],
      )) as Printed;
      expect(values).toEqual(Array(16).fill(1));
      // A machine with a GPU and its driver computes on that.
      expect(["webgpu", "onnx"]).toContain(backend);
      expect(byName).toBe("onnx");
      if (backend === "webgpu") return;
      expect(others[0]).toMatchObject({ backend: "webgpu", reasons: [{ code: "unavailable" }] });
      expect(others.map((o) => o.reasons[0]?.code)).toEqual([
        "unavailable",
        "not-tried",
        "not-tried",
      ]);
    },
  );
});
