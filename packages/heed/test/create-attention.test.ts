import { type AttentionInputs, isHeedError, reference, zeros } from "@heed/core";
import { afterEach, describe, expect, test, vi } from "vitest";
import {
  createAttention,
  defaultOrder,
  type Environment,
  environmentOf,
  js,
  tensor,
  wasm,
  webgpu,
} from "../src/index.js";

const call = (dtype: "float32" | "float64" = "float32"): AttentionInputs => {
  const t = zeros(dtype, [1, 2, 3, 4]);
  return { query: t, key: t, value: t };
};

afterEach(() => vi.restoreAllMocks());

describe("createAttention", () => {
  test("works without arguments, and explains itself", async () => {
    const warn = vi.spyOn(console, "warn");
    const attention = await createAttention();
    const places = defaultOrder[environmentOf()];
    expect(attention.backends.map(({ name }) => name)).toEqual(places.map((p) => p.backend));
    const ready = attention.backends.find(({ status }) => status === "ready");
    const { backend, why, others } = attention.explain(call());
    expect((await attention.run(call())).backend).toBe(backend);
    expect(backend).toBe(ready?.name);
    expect(why).toBe(places.find((place) => place.backend === backend)?.reason);
    expect(others.map((other) => other.backend)).toHaveLength(places.length - 1);
    for (const { reasons } of others) {
      expect(["unavailable", "not-tried"]).toContain(reasons[0]?.code);
    }
    // Nobody asked for a backend that is missing.
    expect(warn).not.toHaveBeenCalled();
    await attention.dispose();
  });

  test("refuses a software adapter, unless it is asked for", async () => {
    const attention = await createAttention({ backends: ["webgpu", "js"], fallback: "silent" });
    const [gpu] = attention.backends;
    if (gpu?.status === "ready") expect(gpu.info.notes?.join()).not.toContain("software adapter");
    else expect(gpu).toMatchObject({ status: "unavailable", reason: expect.any(String) });
    await attention.dispose();
  });

  test("takes names and providers, in the order given", async () => {
    const backends = [reference(), "js", wasm({ threads: 1 }), webgpu()] as const;
    const attention = await createAttention({ backends });
    expect(attention.backends.map(({ name, status }) => `${name} ${status}`)).toEqual([
      "reference ready",
      "js waiting",
      "wasm waiting",
      "webgpu waiting",
    ]);
    expect((await attention.run(call())).backend).toBe("reference");
    await attention.dispose();
  });

  test("loads the next backend for a call that the first refuses", async () => {
    const attention = await createAttention({
      backends: [wasm({ threads: 1 }), "js"],
      fallback: "silent",
    });
    expect((await attention.run(call())).backend).toBe("wasm");
    expect((await attention.run(call("float64"))).backend).toBe("js");
    expect(attention.explain(call("float64")).others[0]).toMatchObject({
      backend: "wasm",
      reasons: [{ code: "dtype" }],
    });
    await attention.dispose();
  });

  test("takes what createAttention of core takes", async () => {
    const attention = await createAttention({
      backends: [js(), "wasm"],
      select: "fastest",
      load: "all",
      selfTest: false,
    });
    expect(attention.explain(call()).backend).toBeNull();
    expect((await attention.run(call())).output.shape).toEqual([1, 2, 3, 4]);
    expect(attention.explain(call()).backend).not.toBeNull();
    await attention.dispose();
    await expect(
      createAttention({ backends: ["js"], fallback: "error", recover: true }),
    ).rejects.toMatchObject({ argument: "recover" });
  });

  test.each<[unknown, string]>([
    [{ backends: ["cuda"] }, "backends[0]"],
    [{ backends: ["js", 1] }, "backends[1]"],
    [{ backends: [] }, "backends"],
    [{ backends: "js" }, "backends"],
    [{ select: "best" }, "select"],
    [{ backend: "js" }, "options.backend"],
    [3, "options"],
  ])("%o is refused", async (options, argument) => {
    const error = await createAttention(options as object).catch((thrown) => thrown);
    expect(isHeedError(error, "invalid-input")).toBe(true);
    expect(error.argument).toBe(argument);
  });
});

describe("the environment", () => {
  test.each<[Environment, object]>([
    ["browser", { document: {}, navigator: { userAgent: "Mozilla/5.0" } }],
    ["worker", { WorkerGlobalScope: class {}, navigator: {} }],
    ["node", { process: { versions: { node: "24.0.0" } }, navigator: { userAgent: "Node.js/24" } }],
    ["deno", { Deno: {}, process: { versions: { node: "24.0.0" } }, WorkerGlobalScope: class {} }],
    ["bun", { Bun: {}, process: { versions: { node: "24.0.0" } } }],
    [
      "workerd",
      {
        navigator: { userAgent: "Cloudflare-Workers" },
        process: { versions: { node: "22.0.0" } },
        WorkerGlobalScope: class {},
      },
    ],
    ["other", {}],
  ])("%s is told by its globals", (environment, globals) => {
    expect(environmentOf(globals)).toBe(environment);
  });

  test("has an order that ends with what runs everywhere, each place with a reason", () => {
    for (const places of Object.values(defaultOrder)) {
      expect(places.at(-1)?.backend).toBe("js");
      expect(new Set(places.map(({ backend }) => backend)).size).toBe(places.length);
      for (const { reason } of places) expect(reason.length).toBeGreaterThan(20);
    }
  });
});

test("tensors made here are core's", () => {
  expect(tensor([1, 2], [2]).dtype).toBe("float32");
});
