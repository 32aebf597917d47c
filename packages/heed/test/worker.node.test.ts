/** Long calls in a worker. Workers have files of what was built: needs `pnpm build`. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type AttentionInputs, createAttention, type HostTensor, tensor } from "@heed/core";
import { afterAll, describe, expect, test } from "vitest";

const dist = new URL("../dist/index.js", import.meta.url);
const built = existsSync(fileURLToPath(dist));
const heed = built ? ((await import(dist.href)) as typeof import("../src/index.js")) : null;

const filled = (shape: readonly number[], seed: number): HostTensor<"float32"> =>
  tensor(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(seed + i)),
    shape,
  );

/** Long enough for a worker: 0.3 · 10⁹ operations for wasm, and less for js. */
const long = (length: number): AttentionInputs<HostTensor> => ({
  query: filled([1, 4, length, 64], 1),
  key: filled([1, 2, length, 64], 2),
  value: filled([1, 2, length, 64], 3),
  causal: true,
  kvLengths: [length - 3],
  queryOffset: 0,
});
const short = long(4);

describe.skipIf(!built).each([
  ["wasm", 768],
  ["js", 256],
] as const)("%s in a worker", (name, length) => {
  const make = (worker: boolean) =>
    createAttention({ backends: [heed?.[name]({ worker }) as never] });
  const made = Promise.all([make(true), make(false)]);
  afterAll(async () => {
    for (const attention of await made) await attention.dispose();
  });

  test("computes the same, and lets timers run meanwhile", async () => {
    const [inWorker, here] = await made;
    expect(inWorker.backends[0]).toMatchObject({
      info: { notes: expect.arrayContaining(["long calls are computed in a worker"]) },
    });
    const call = long(length);
    await inWorker.prepare(call);
    let ticked = false;
    setTimeout(() => {
      ticked = true;
    }, 0);
    const { output, backend } = await inWorker.run(call);
    expect(ticked).toBe(true);
    expect(backend).toBe(name);
    const expected = (await here.run(call)).output.data as Float32Array;
    expect(output.shape).toEqual([1, 4, length, 64]);
    let worst = 0;
    for (const [i, value] of expected.entries()) {
      worst = Math.max(worst, Math.abs(value - (output.data[i] as number)));
    }
    expect(worst).toBeLessThan(1e-5);
    // Inputs are copied, not handed over.
    expect(call.query.data.length).toBe(4 * length * 64);
  });

  test("takes views, and more calls than one at a time", async () => {
    const [inWorker, here] = await made;
    const { query, key, value } = long(length);
    const turned = tensor(query.data as Float32Array, [1, 4, length, 64], {
      strides: [0, 0, 64, 1],
      offset: 3 * 64 * length,
    });
    const calls = [turned, query, turned].map((q) => ({ query: q, key, value }));
    const results = await Promise.all(
      [...calls, short].map((call) => inWorker.run(call as AttentionInputs<HostTensor>)),
    );
    const expected = await here.run({ query: turned, key, value });
    for (const i of [0, 2]) {
      expect(results[i]?.output.data[5]).toBeCloseTo(expected.output.data[5] as number, 5);
    }
    expect(results[1]?.output.data[5]).not.toBeCloseTo(expected.output.data[5] as number, 5);
  });

  test("ends at once when it is aborted, and goes on with later calls", async () => {
    const [inWorker] = await made;
    const call = long(4 * length);
    await inWorker.prepare(call);
    const controller = new AbortController();
    const running = inWorker.run(call, { signal: controller.signal });
    const waiting = inWorker.run(long(length));
    setTimeout(() => controller.abort(new Error("enough")), 5);
    await expect(running).rejects.toThrow("enough");
    expect((await waiting).backend).toBe(name);
  });
});

test.skipIf(!built)("a worker that waits keeps no process alive", async () => {
  const { execFile } = await import("node:child_process");
  const { promisify } = await import("node:util");
  const script = `
    import { createAttention, js, zeros } from ${JSON.stringify(dist.href)};
    const attention = await createAttention({ backends: [js({ worker: true })], store: null });
    const t = zeros("float32", [1, 4, 256, 64]);
    const { output } = await attention.run({ query: t, key: t, value: t });
    console.log(output.shape.join());`;
  const args = ["--input-type=module", "-e", script];
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 30_000 });
  expect(stdout.trim()).toBe("1,4,256,64");
});
