import { wasm } from "@heed/backend-wasm";
import {
  BackendUnavailableError,
  describeProblem,
  InvalidInputError,
  UnsupportedError,
  zeros,
} from "@heed/core";
import { afterEach, expect, test, vi } from "vitest";
import { chooseBuild, compileBuild } from "../src/module.js";
import { calls } from "./calls.js";

test.each([
  [{ threads: 0 }, "threads"],
  [{ threads: 1.5 }, "threads"],
  [{ threads: "many" }, "threads"],
  [{ simd: "avx" }, "simd"],
  [{ module: {} }, "module"],
  [{ variant: "wide" }, "variant"],
  [{ store: null }, "store"],
  [{ store: { read: () => null } }, "store"],
  [{ thread: 2 }, "options.thread"],
])("%j is refused by name", (options, argument) => {
  const error = (() => {
    try {
      wasm(options as never);
    } catch (e) {
      return e;
    }
  })();
  expect(error).toBeInstanceOf(InvalidInputError);
  expect(error).toMatchObject({ argument });
});

afterEach(() => vi.restoreAllMocks());

test.each([
  [
    "fuses multiply-adds",
    2 ** -24,
    "relaxed",
    "relaxed SIMD (fused multiply-adds): the engine has it",
    null,
  ],
  ["rounds twice", 0, "baseline", "baseline SIMD: the engine does not fuse multiply-adds", 13440],
] as const)("the build of an engine that %s", (_, left, build, reason, tileElements) => {
  pretendMultiplyAdds(left);
  expect(chooseBuild(undefined)).toEqual({ build, reason, tileElements });
  expect(chooseBuild("baseline")).toMatchObject({ build: "baseline", tileElements });
  expect(chooseBuild("relaxed")).toMatchObject({ build: "relaxed", tileElements: null });
});

/** @param left by the engine's multiply-add where rounding twice leaves 0 */
function pretendMultiplyAdds(left: number): void {
  vi.spyOn(WebAssembly, "validate").mockReturnValue(true);
  vi.spyOn(WebAssembly, "Module").mockImplementation(class {} as never);
  vi.spyOn(WebAssembly, "Instance").mockImplementation(
    class {
      exports = { f: (a: number, b: number) => a * a + b && left };
    } as never,
  );
}

test("tiles are longer where the engine does not fuse multiply-adds", async () => {
  const call = {
    query: zeros("float32", [1, 1, 197, 64]),
    key: zeros("float32", [1, 1, 197, 64]),
    value: zeros("float32", [1, 1, 197, 64]),
  };
  const kernelOf = async () => {
    const backend = await wasm({ simd: "baseline", threads: 1 }).load();
    const { description } = await backend.plan(describeProblem(call));
    backend.dispose();
    return description.kernel;
  };
  pretendMultiplyAdds(2 ** -24);
  expect(await kernelOf()).toBe("attention-tiled-f32-200x90-baseline");
  pretendMultiplyAdds(0);
  expect(await kernelOf()).toBe("attention-tiled-f32-200x210-baseline");
});

test("the build of an engine without relaxed SIMD", () => {
  const relaxedMadd = 0x85;
  vi.spyOn(WebAssembly, "validate").mockImplementation(
    (bytes) => !new Uint8Array(bytes as ArrayBuffer).includes(relaxedMadd),
  );
  expect(chooseBuild(undefined)).toEqual({
    build: "baseline",
    reason: "baseline SIMD: the engine has no relaxed SIMD",
    tileElements: null,
  });
  expect(() => chooseBuild("relaxed")).toThrow(BackendUnavailableError);
});

test("says what it runs on, and why", async () => {
  const backend = await wasm({ simd: "baseline", threads: 1 }).load();
  expect(backend.info).toMatchObject({
    runtime: "WebAssembly",
    features: ["simd128"],
    threads: 1,
    notes: ["128-bit SIMD: asked for", "one thread: asked for", expect.stringMatching(/^tiles: /)],
  });
  backend.dispose();
  const best = await wasm().load();
  expect(best.info.notes?.[0]).toMatch(/SIMD/);
  expect(best.info.threads).toBeGreaterThanOrEqual(1);
  best.dispose();
});

test("runs a module that was compiled elsewhere", async () => {
  const module = await compileBuild("baseline", false);
  const alone = await wasm({ module, threads: 1 }).load();
  const call = calls.prefill;
  await (await alone.plan(describeProblem(call))).run(call);
  alone.dispose();
  // It is not one for shared memory: then there is one thread, and the reason is given.
  const asked = await wasm({ module, threads: 2 }).load();
  expect(asked.info.threads).toBe(1);
  expect(asked.info.notes?.join()).toContain("not one for shared memory");
  asked.dispose();
  const shared = await wasm({ module: await compileBuild("baseline", true), threads: 2 }).load();
  await expect.poll(() => shared.info.threads).toBe(2);
  await (await shared.plan(describeProblem(call))).run(call);
  shared.dispose();
});

test("a module that is not ours is unavailable, not a crash", async () => {
  const empty = new WebAssembly.Module(Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0));
  await expect(wasm({ module: empty, threads: 1 }).load()).rejects.toThrow(BackendUnavailableError);
});

test("float64 is refused with a reason", async () => {
  const backend = await wasm({ threads: 1 }).load();
  const t = zeros("float64", [1, 1, 2, 4]);
  const problem = describeProblem({ query: t, key: t, value: t });
  expect(backend.supports(problem)).toMatchObject({ ok: false, reasons: [{ code: "dtype" }] });
  expect(() => backend.plan(problem)).toThrow(UnsupportedError);
  backend.dispose();
});
