import {
  type Attention,
  broadcastTo,
  createAttention,
  type HostTensor,
  slice,
  tensor,
  toFloat64,
  zeros,
} from "@heed/core";
import { type LayerCache, multiHeadAttention } from "@heed/layers";
import { beforeAll, describe, expect, test } from "vitest";
import { attentionOn } from "../../../test/backends.js";
import { bools, causalLayer, expectClose, floats, rows } from "./calls.js";

/** The least that a layer needs of a cache: rows in host memory. */
class PlainCache implements LayerCache {
  readonly positions: number[];
  readonly backend = null;
  readonly rotates: boolean = false;
  readonly kind: string = "static";
  readonly key: HostTensor;
  readonly value: HostTensor;

  constructor(batch: number, capacity: number, more: Partial<LayerCache> = {}) {
    this.positions = new Array<number>(batch).fill(0);
    this.key = zeros("float32", [batch, 2, capacity, 8]);
    this.value = zeros("float32", [batch, 2, capacity, 8]);
    Object.assign(this, more);
  }

  async append({ key, value, lengths }: Parameters<LayerCache["append"]>[0]): Promise<void> {
    const [batch, heads, n, size] = key.shape as [number, number, number, number];
    for (let b = 0; b < batch; b++) {
      const count = lengths?.[b] ?? n;
      const first = this.positions[b] as number;
      for (const [to, from] of [
        [this.key, key],
        [this.value, value],
      ] as const) {
        const rows = toFloat64(from as HostTensor);
        const capacity = to.shape[2] as number;
        for (let h = 0; h < heads; h++) {
          const start = (b * heads + h) * n * size;
          const at = ((b * heads + h) * capacity + first) * size;
          (to.data as Float32Array).set(rows.subarray(start, start + count * size), at);
        }
      }
      this.positions[b] = first + count;
    }
    this.#starts = this.positions.map((end, b) => end - (lengths?.[b] ?? n));
  }

  #starts: number[] = [];

  inputs(): ReturnType<LayerCache["inputs"]> {
    const { key, value, positions } = this;
    return { key, value, kvLengths: [...positions], queryOffset: this.#starts };
  }

  truncate(lengths: ArrayLike<number>): void {
    for (let b = 0; b < lengths.length; b++) this.positions[b] = lengths[b] as number;
  }
}

describe("a layer with a cache", () => {
  let attention: Attention;
  beforeAll(async () => {
    attention = (await attentionOn("js")) as Attention;
  });

  test("chunks of any size give what the whole sequence gives", async () => {
    const layer = await multiHeadAttention(attention, causalLayer());
    const query = floats(2, 9, 24);
    const whole = await layer.run({ query });
    const cache = new PlainCache(2, 12);
    let from = 0;
    for (const n of [4, 1, 1, 3]) {
      const { output } = await layer.run({ query: rows(query, from, from + n), cache });
      expectClose(output, toFloat64(rows(whole.output, from, from + n)));
      from += n;
    }
    expect(cache.positions).toEqual([9, 9]);
  });

  test("padding after an entry's tokens is not appended", async () => {
    const layer = await multiHeadAttention(attention, causalLayer());
    const [a, b] = [floats(1, 5, 24), floats(1, 3, 24)];
    const prompt = tensor(
      Float32Array.of(
        ...toFloat64(rows(a, 0, 4)),
        ...toFloat64(rows(b, 0, 2)),
        ...new Array(48).fill(9),
      ),
      [2, 4, 24],
    );
    const cache = new PlainCache(2, 8);
    const keyPadding = bools([1, 1, 1, 1, 1, 1, 0, 0], 2, 4);
    await layer.run({ query: prompt, cache, keyPadding });
    expect(cache.positions).toEqual([4, 2]);
    const next = tensor(
      Float32Array.of(...toFloat64(rows(a, 4, 5)), ...toFloat64(rows(b, 2, 3))),
      [2, 1, 24],
    );
    const { output } = await layer.run({ query: next, cache });
    const [wholeA, wholeB] = [await layer.run({ query: a }), await layer.run({ query: b })];
    const wanted = [
      ...toFloat64(rows(wholeA.output, 4, 5)),
      ...toFloat64(rows(wholeB.output, 2, 3)),
    ];
    expectClose(output, wanted);
  });

  test("masks and biases are over the tokens so far", async () => {
    const layer = await multiHeadAttention(attention, causalLayer());
    const query = floats(1, 5, 24);
    const mask = bools(
      Array.from({ length: 25 }, (_, i) => (i % 3 === 1 ? 0 : 1)),
      5,
      5,
    );
    const bias = floats(5, 5);
    const whole = await layer.run({ query, mask, bias });
    const cache = new PlainCache(1, 9);
    await layer.run({ query: rows(query, 0, 3), cache });
    const { output } = await layer.run({
      query: rows(query, 3, 5),
      cache,
      mask: slice(mask, 0, 3, 5) as HostTensor,
      bias: slice(bias, 0, 3, 5) as HostTensor,
    });
    expectClose(output, toFloat64(rows(whole.output, 3, 5)));
    const again = await layer.run({ query: rows(query, 3, 4), cache, mask: bools([1], 1, 1) });
    expect(again.output.shape).toEqual([1, 1, 24]);
  });

  test.each<[string, object, object]>([
    ["cache", {}, { rotates: true }],
    ["append", { append: 0 }, {}],
    ["append", { append: false, cache: undefined }, {}],
    ["key", { append: false, key: floats(2, 1, 24) }, {}],
    ["keyPadding", { append: false, keyPadding: bools([1, 1], 2, 1) }, {}],
    ["cache", { query: floats(3, 1, 24) }, {}],
    ["mask", { mask: bools([1, 1, 1, 1], 1, 4) }, { kind: "rolling" }],
    ["mask", { mask: bools(new Array(20).fill(1), 20) }, {}],
    ["bias", { bias: floats(7, 1) }, {}],
    ["returns.scores", { returns: { scores: "all" } }, {}],
    ["keyPadding", { query: floats(2, 3, 24), keyPadding: bools([0, 1, 1, 1, 1, 1], 2, 3) }, {}],
  ])(
    "%s is named where it is wrong, and the cache is as it was",
    async (argument, changes, more) => {
      const layer = await multiHeadAttention(attention, causalLayer());
      const cache = new PlainCache(2, 8);
      await layer.run({ query: floats(2, 2, 24), cache });
      Object.assign(cache, more);
      const run = layer.run({ query: floats(2, 1, 24), cache, ...changes } as never);
      await expect(run).rejects.toMatchObject({ code: "invalid-input", argument });
      expect(cache.positions).toEqual([2, 2]);
    },
  );

  test("a cache that turns keys has to say how to a layer that does not", async () => {
    const { rotary, ...plain } = causalLayer();
    const layer = await multiHeadAttention(attention, plain);
    const silent = new PlainCache(2, 8, { rotates: true });
    const run = (cache: LayerCache) => layer.run({ query: floats(2, 1, 24), cache });
    await expect(run(silent)).rejects.toMatchObject({ code: "invalid-input", argument: "cache" });
    expect(silent.positions).toEqual([0, 0]);
    await run(new PlainCache(2, 8, { rotates: true, rotary }));
  });

  test("what was appended is taken back if attention fails", async () => {
    let failing = false;
    const failingRun: Attention = Object.assign(Object.create(attention), {
      run: (inputs: never, limits: never) =>
        failing ? Promise.reject(new Error("no device")) : attention.run(inputs, limits),
      apply: attention.apply.bind(attention),
      prepare: attention.prepare.bind(attention),
      upload: attention.upload.bind(attention),
      allocate: attention.allocate.bind(attention),
    });
    const layer = await multiHeadAttention(failingRun, causalLayer());
    const cache = new PlainCache(1, 8);
    await layer.run({ query: floats(1, 3, 24), cache });
    failing = true;
    await expect(layer.run({ query: floats(1, 2, 24), cache })).rejects.toThrow("no device");
    expect(cache.positions).toEqual([3]);
  });

  test("an aborted call takes back what it appended", async () => {
    const layer = await multiHeadAttention(attention, causalLayer());
    const cache = new PlainCache(1, 8);
    const run = layer.run({ query: floats(1, 2, 24), cache }, { signal: AbortSignal.abort() });
    await expect(run).rejects.toThrow();
    expect(cache.positions).toEqual([0]);
  });

  test("the layer runs where the cache is", async () => {
    const { js } = await import("@heed/backend-js");
    const { wasm } = await import("@heed/backend-wasm");
    const both = await createAttention({ backends: [wasm({ threads: 1 }), js()] });
    const layer = await multiHeadAttention(both, causalLayer());
    expect(layer.backend).toBe("wasm");
    const query = floats(1, 4, 24);
    const { output } = await layer.run({ query, cache: new PlainCache(1, 8) });
    expectClose(output, toFloat64((await layer.run({ query })).output));
    layer.dispose();
    await both.dispose();
  });

  test("one row of positions may stand for all entries", async () => {
    const layer = await multiHeadAttention(attention, causalLayer());
    const query = floats(2, 3, 24);
    const one = Int32Array.of(7, 8, 9);
    const all = tensor(Int32Array.of(7, 8, 9, 7, 8, 9), [2, 3]);
    const shared = await layer.run({ query, positions: one });
    expectClose(shared.output, toFloat64((await layer.run({ query, positions: all })).output));
    const mask = broadcastTo(bools([1], 1, 1), [3, 3]) as HostTensor;
    expectClose(
      (await layer.run({ query, mask })).output,
      toFloat64((await layer.run({ query })).output),
    );
  });
});
