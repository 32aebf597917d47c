import { js } from "@heed/backend-js";
import { wasm } from "@heed/backend-wasm";
import {
  type Attention,
  type AttentionProvider,
  createAttention,
  DeviceLostError,
  type HostTensor,
  tensor,
  zeros,
} from "@heed/core";
import { readSafeTensors, writeSafeTensors } from "@heed/core/safetensors";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Cache, type CacheOptions, createCache } from "../src/index.js";
import { toHost } from "./history.js";

/** A tensor whose row of token t is filled with `first + t`. */
function rows(shape: readonly number[], first: number): HostTensor<"float32"> {
  const [, , n, size] = shape as [number, number, number, number];
  const count = shape.reduce((product, each) => product * each, 1);
  const at = (i: number) => first + (Math.floor(i / size) % n);
  return tensor(
    Float32Array.from({ length: count }, (_, i) => at(i)),
    shape,
  );
}

const small = { batch: 2, kvHeads: 1, headDim: 2, valueDim: 3, capacity: 8 } as const;
const next = (n: number, first = 0) => ({
  key: rows([2, 1, n, 2], first),
  value: rows([2, 1, n, 3], first),
});

const make = { js: () => js(), wasm: () => wasm({ threads: 1 }) };

describe.each(["js", "wasm"] as const)("on %s", (backend) => {
  let attention: Attention;
  beforeAll(async () => {
    attention = await createAttention({ backends: [make[backend]()] });
  });
  afterAll(() => attention.dispose());
  const create = (options: Partial<CacheOptions> = {}) =>
    createCache(attention, { ...small, ...options, backend });

  test("says what it holds", async () => {
    const cache = await create();
    expect(cache.backend).toBe(backend === "js" ? null : "wasm");
    expect(cache).toMatchObject({ kind: "static", dtype: "float32", capacity: 8, rotates: false });
    expect(cache.bytes).toBe(2 * 8 * (2 + 3) * 4);
    await cache.append({ ...next(3), lengths: [3, 1] });
    expect(cache.lengths).toEqual([3, 1]);
    expect(cache.positions).toEqual([3, 1]);
    expect(cache.pages).toBe(null);
    cache.clear();
    expect(cache.lengths).toEqual([0, 0]);
    cache.dispose();
    expect(cache.disposed).toBe(true);
  });

  test("int8 takes 0.27 of the bytes of float32, float16 half", async () => {
    const bytes = async (dtype: CacheOptions["dtype"]) => {
      const cache = await create({ headDim: 64, valueDim: 64, dtype });
      const { bytes } = cache;
      cache.dispose();
      return bytes;
    };
    const whole = await bytes("float32");
    expect((await bytes("float16")) / whole).toBe(0.5);
    expect((await bytes("int8")) / whole).toBeCloseTo(0.266, 3);
  });

  test("an empty cache, appends of nothing and entries of length 0 are no special case", async () => {
    const cache = await create();
    const query = zeros("float32", [2, 2, 1, 2]);
    const run = async () => {
      const { output } = await attention.run({ query, ...cache.inputs(), causal: true });
      return Array.from((await toHost(output)).data as Float32Array);
    };
    expect(await run()).toEqual(new Array(12).fill(0));
    await cache.append(next(0));
    await cache.append({ ...next(1, 5), lengths: [0, 0] });
    expect(cache.lengths).toEqual([0, 0]);
    expect(await run()).toEqual(new Array(12).fill(0));
    await cache.append({ ...next(1, 5), lengths: Int32Array.of(0, 1) });
    expect(await run()).toEqual([...new Array(6).fill(0), ...new Array(6).fill(5)]);
    cache.dispose();
  });

  test("appends that overlap are stored in order", async () => {
    const cache = await create();
    const [a, b] = [cache.append(next(2, 1)), cache.append({ ...next(2, 3), lengths: [2, 1] })];
    const c = cache.append(next(9));
    const d = cache.append(next(1, 7));
    await expect(c).rejects.toMatchObject({ code: "invalid-input", argument: "key" });
    await Promise.all([a, b, d]);
    expect(cache.lengths).toEqual([5, 4]);
    const { tensors } = readSafeTensors(await cache.save());
    expect(Array.from(tensors.key?.data as Float32Array)).toEqual(
      [1, 2, 3, 4, 7, 1, 2, 3, 7, 0].flatMap((x) => [x, x]),
    );
    cache.dispose();
  });

  test("rows of an uneven append stay where they are when entries are reordered", async () => {
    const cache = await create();
    const appended = cache.append({ ...next(3), lengths: [3, 1] });
    await cache.reorder([1, 0]);
    await appended;
    expect(cache.lengths).toEqual([1, 3]);
    expect(cache.inputs().queryOffset).toEqual(Int32Array.of(0, 0));
    await cache.append({ ...next(2), lengths: [1, 2] });
    await cache.reorder([1, 0]);
    expect(cache.inputs().queryOffset).toEqual(Int32Array.of(3, 1));
    await cache.reorder([0, 0]);
    expect(cache.inputs().queryOffset).toEqual("bottom-right");
    expect(cache.inputs({ queryLength: 1 }).queryOffset).toEqual("bottom-right");
    cache.dispose();
  });

  test("keys are rotated at their own positions, on every entry", async () => {
    const options = { headDim: 4, valueDim: 4, rotary: { theta: 100, interleaved: true } };
    const cache = await create(options);
    const ones = (n: number) => tensor(new Float32Array(2 * n * 4).fill(1), [2, 1, n, 4]);
    await cache.append({ key: ones(2), value: ones(2), lengths: [2, 1] });
    await cache.append({ key: ones(1), value: ones(1) });
    const { tensors } = readSafeTensors(await cache.save());
    const turned = (p: number) =>
      [p, p / 10].flatMap((x) => [Math.cos(x) - Math.sin(x), Math.cos(x) + Math.sin(x)]);
    const expected = [0, 1, 2, 0, 1].flatMap(turned);
    for (const [i, x] of expected.entries()) expect(tensors.key?.data[i]).toBeCloseTo(x, 5);
    const again = await Cache.load(attention, await cache.save(), { backend });
    expect(again.rotates).toBe(true);
    await again.append({ key: ones(1), value: ones(1) });
    const loaded = readSafeTensors(await again.save()).tensors.key?.data as Float32Array;
    for (const [i, x] of turned(3).entries()) expect(loaded[12 + i]).toBeCloseTo(x, 5);
    cache.dispose();
    again.dispose();
  });

  test.each(["static", "rolling", "paged"] as const)(
    "a %s fork knows the latest append",
    async (kind) => {
      const more = { static: {}, rolling: { window: 4 }, paged: { pageSize: 2 } }[kind];
      const cache = await createCache(attention, { ...small, ...more, kind });
      await cache.append({ ...next(3), lengths: [3, 2] });
      const fork = cache.fork();
      expect(fork.inputs()).toEqual(cache.inputs());
      fork.dispose();
      cache.dispose();
    },
  );

  test("kept tokens are kept by a cache that was loaded, too", async () => {
    const options = { ...small, kind: "rolling", window: 2, keep: 2 } as const;
    const cache = await createCache(attention, options);
    for (let n = 0; n < 5; n++) await cache.append(next(3));
    const again = await Cache.load(attention, await cache.save());
    const own = cache.inputs({ queryLength: 1 });
    const { kvLengths, keyPositions, queryPositions } = again.inputs({ queryLength: 1 });
    expect({ kvLengths, keyPositions, queryPositions }).toEqual({
      kvLengths: own.kvLengths,
      keyPositions: own.keyPositions,
      queryPositions: own.queryPositions,
    });
    again.dispose();
    cache.dispose();
  });

  test("each head's rows are saved and loaded", async () => {
    const options = { ...small, kvHeads: 2, capacity: 3, valueDim: 2 } as const;
    const cache = await createCache(attention, options);
    const all = tensor(
      Float32Array.from({ length: 24 }, (_, i) => i),
      [2, 2, 3, 2],
    );
    await cache.append({ key: all, value: all });
    const again = await Cache.load(attention, await cache.save());
    for (const t of [again.inputs().key, again.inputs().value]) {
      const { data } = "read" in t ? await t.read() : (t as HostTensor);
      expect([...(data as Float32Array)]).toEqual([...all.data]);
    }
    again.dispose();
    cache.dispose();
  });

  test.each(["static", "rolling", "paged"] as const)(
    "a %s cache and its fork write rows of their own",
    async (kind) => {
      const more = { static: {}, rolling: { window: 4 }, paged: { pageSize: 2, capacity: 24 } }[
        kind
      ];
      const cache = await createCache(attention, { ...small, ...more, kind });
      await cache.append(next(3, 1));
      const fork = cache.fork();
      await cache.append(next(1, 50));
      await fork.append(next(1, 70));
      const keysOf = async (side: Cache) => {
        const { key } = readSafeTensors(await side.save()).tensors;
        const rows = [...((key as HostTensor).data as Float32Array)].filter(Boolean);
        return rows.sort((a, b) => a - b);
      };
      const own = await keysOf(cache);
      expect(Math.max(...own)).toBe(50);
      // The rows before it are all there, also that of the page which was shared.
      expect(await keysOf(fork)).toEqual(own.map((element) => (element === 50 ? 70 : element)));
      fork.dispose();
      cache.dispose();
    },
  );

  test("after a truncate, queries are no longer those of the latest append", async () => {
    const cache = await createCache(attention, small);
    await cache.append({ ...next(3), lengths: [3, 1] });
    expect(cache.inputs().queryOffset).toEqual(Int32Array.of(0, 0));
    cache.truncate([2, 1]);
    expect(cache.inputs({ queryLength: 3 }).queryOffset).toBe("bottom-right");
    cache.dispose();
  });

  test("of two entries that share a page, the last one to write needs no copy", async () => {
    const options = { ...small, kind: "paged", capacity: 8, pageSize: 4 } as const;
    const cache = await createCache(attention, options);
    await cache.append({ ...next(3), lengths: [3, 0] });
    await cache.reorder([0, 0]);
    expect(cache.pages?.free).toBe(1);
    await cache.append(next(1, 50));
    expect(cache.pages?.free).toBe(0);
    expect(cache.lengths).toEqual([4, 4]);
    cache.dispose();
  });

  test("forks share pages until one side writes, and a prefix of many is stored once", async () => {
    const options = { kind: "paged", capacity: 24, pageSize: 4 } as const;
    const cache = await create(options);
    const free = () => cache.pages?.free;
    await cache.append({ ...next(6, 1), lengths: [6, 0] });
    expect(free()).toBe(4);
    await cache.reorder([0, 0]);
    const forks = [cache.fork(), cache.fork()];
    expect(free()).toBe(4);
    expect(forks[0]?.bytes).toBe(cache.bytes);
    // The second page is full up to half: every side but the last writes into a copy of it.
    for (const fork of forks) await fork.append(next(1, 50));
    expect(free()).toBe(0);
    await expect(cache.append(next(3, 60))).rejects.toMatchObject({ argument: "key" });
    expect(cache.lengths).toEqual([6, 6]);
    forks[0]?.dispose();
    expect(free()).toBe(2);
    await cache.append(next(1, 70));
    expect(free()).toBe(1);
    forks[1]?.truncate([6, 3]);
    expect(free()).toBe(2);
    const saved = readSafeTensors(await cache.save()).tensors;
    expect(saved.key?.shape).toEqual([3, 1, 4, 2]);
    forks[1]?.dispose();
    cache.dispose();
    expect(free()).toBe(6);
  });

  describe("an error leaves the cache as it was, and names the argument", () => {
    const kinds = {
      static: {},
      rolling: { kind: "rolling", window: 3, keep: 1, capacity: 5 },
      paged: { kind: "paged", pageSize: 4, capacity: 16 },
    } as const;

    test.each(Object.keys(kinds))("%s", async (kind) => {
      const cache = await create(kinds[kind as keyof typeof kinds]);
      for (let i = 0; i < 3; i++) await cache.append(next(2, 2 * i));
      const say = async () => [
        ...[cache.lengths, cache.rewindable, cache.pages, cache.inputs({ queryLength: 1 })],
        await cache.save(),
      ];
      const before = await say();
      const good = next(1);
      const far = zeros("float32", [2, 1, 40, 2]);
      const bad: readonly (readonly [string, () => unknown])[] = [
        ["key", () => cache.append({ ...good, key: rows([1, 1, 1, 2], 0) })],
        ["key", () => cache.append({ ...good, key: rows([2, 2, 1, 2], 0) })],
        ["key", () => cache.append({ ...good, key: rows([2, 1, 1, 3], 0) })],
        ["key", () => cache.append({ ...good, key: tensor(new Int32Array(4), [2, 1, 1, 2]) })],
        ["key", () => cache.append({ ...good, key: tensor(new Float64Array(4), [2, 1, 1, 2]) })],
        ["key", () => cache.append({ ...good, key: { shape: [2, 1, 1, 2] } as never })],
        ["value", () => cache.append({ ...good, value: rows([2, 1, 2, 3], 0) })],
        [
          "value",
          () => cache.append({ ...good, value: tensor(new Float64Array(6), [2, 1, 1, 3]) }),
        ],
        ["value", () => cache.append({ key: good.key } as never)],
        ["lengths", () => cache.append({ ...good, lengths: [1] })],
        ["lengths", () => cache.append({ ...good, lengths: [1, 2] })],
        ["lengths", () => cache.append({ ...good, lengths: [1, -1] })],
        ["lengths", () => cache.append({ ...good, lengths: [0.5, 1] })],
        ["lengths", () => cache.append({ ...good, lengths: "11" as never })],
        ["inputs.keys", () => cache.append({ ...good, keys: 1 } as never)],
        ["lengths", () => cache.truncate([7, 6])],
        ["lengths", () => cache.truncate([6, -1])],
        ["lengths", () => cache.truncate([6])],
        ["lengths", () => cache.truncate(Number.NaN)],
        ["indices", () => cache.reorder([0, 2])],
        ["indices", () => cache.reorder([-1, 0])],
        ["indices", () => cache.reorder([0, 1, 1])],
        ["queryLength", () => cache.inputs({ queryLength: -1 })],
        ["window", () => cache.inputs({ window: -1 })],
        ["ownPositions", () => cache.inputs({ ownPositions: 1 as never })],
        ["options.rows", () => cache.inputs({ rows: 1 } as never)],
        ...(kind === "rolling"
          ? ([["queryLength", () => cache.inputs({ queryLength: 6 })]] as const)
          : ([
              ["key", () => cache.append({ key: far, value: zeros("float32", [2, 1, 40, 3]) })],
            ] as const)),
      ];
      for (const [argument, call] of bad) {
        const error = await (async () => call())().then(
          () => null,
          (thrown) => thrown,
        );
        expect({ call: String(call), error }).toMatchObject({
          error: { code: "invalid-input", argument },
        });
        expect(await say()).toEqual(before);
      }
      cache.dispose();
      cache.dispose();
      for (const call of [
        () => cache.append(good),
        () => cache.inputs(),
        () => cache.truncate(0),
        () => cache.reorder([0, 1]),
        () => cache.fork(),
        () => cache.clear(),
        () => cache.save(),
      ]) {
        await expect((async () => call())()).rejects.toMatchObject({ code: "disposed" });
      }
    });

    test("a rolling cache says how far back is possible", async () => {
      const cache = await create({ kind: "rolling", window: 3, keep: 1, capacity: 6 });
      for (let i = 0; i < 9; i++) await cache.append(next(1, i));
      expect(cache.rewindable).toEqual([2, 2]);
      expect(() => cache.truncate([7, 6])).toThrow(
        "lengths: expected at least 7, or at most 1, in batch entry 1: earlier rows are gone, got 6",
      );
      expect(cache.lengths).toEqual([9, 9]);
      cache.truncate([7, 7]);
      cache.truncate([1, 0]);
      expect(cache.lengths).toEqual([1, 0]);
      cache.dispose();
    });
  });

  test("wrong options are errors that name them", async () => {
    const bad: readonly [string, Partial<Record<keyof CacheOptions | "size", unknown>>][] = [
      ["kind", { kind: "ring" }],
      ["dtype", { dtype: "float64" }],
      ["batch", { batch: 0 }],
      ["kvHeads", { kvHeads: 1.5 }],
      ["headDim", { headDim: undefined }],
      ["valueDim", { valueDim: -1 }],
      ["capacity", { capacity: 2 ** 31 }],
      ["window", { kind: "rolling" }],
      ["window", { window: 3 }],
      ["keep", { kind: "rolling", window: 3, keep: -1 }],
      ["pageSize", { pageSize: 4 }],
      ["maxLength", { kind: "paged", maxLength: 0 }],
      ["options.size", { size: 1 }],
      ["rotary.base", { rotary: { base: 1 } }],
      ["theta", { rotary: {} }],
      ["theta", { rotary: { theta: -1 } }],
      ["rotaryDim", { rotary: { theta: 10, rotaryDim: 4 } }],
      ["backend", { backend: 1 }],
      ["backend", { backend: "gpu" }],
    ];
    for (const [argument, options] of bad) {
      const made = createCache(attention, { ...small, ...options } as CacheOptions);
      await expect(made, JSON.stringify(options)).rejects.toMatchObject({
        code: "invalid-input",
        argument,
      });
    }
    await expect(createCache(null as never, small)).rejects.toMatchObject({
      argument: "attention",
    });
  });

  test("bytes that are no saved cache are errors that say why", async () => {
    const cache = await create({ kind: "paged", capacity: 16, pageSize: 4 });
    await cache.append(next(3));
    const { tensors, metadata } = readSafeTensors(await cache.save());
    cache.dispose();
    const table = tensor(Int32Array.of(7, -1, -1, -1, 1, -1, -1, -1), [8]);
    const short = tensor(new Int32Array(3), [3]);
    const bad: readonly [string, Uint8Array][] = [
      ["bytes", new Uint8Array(3)],
      ["bytes", writeSafeTensors({ tensors, metadata: {} })],
      ["bytes", writeSafeTensors({ tensors, metadata: { ...metadata, options: "{" } })],
      [
        "key",
        writeSafeTensors({ tensors: { ...tensors, key: zeros("float32", [2, 2]) }, metadata }),
      ],
      ["value", writeSafeTensors({ tensors: { ...tensors, value: table }, metadata })],
      ["table", writeSafeTensors({ tensors: { ...tensors, table }, metadata })],
      ["lengths", writeSafeTensors({ tensors: { ...tensors, lengths: short }, metadata })],
    ];
    for (const [argument, bytes] of bad) {
      await expect(Cache.load(attention, bytes, { backend })).rejects.toMatchObject({
        code: "invalid-input",
        argument,
      });
    }
  });
});

test("a cache on wasm takes keys that are there, and refuses those of another backend", async () => {
  const attention = await createAttention({ backends: [wasm({ threads: 1 }), js()] });
  const cache = await createCache(attention, small);
  expect(cache.backend).toBe("wasm");
  const { key, value } = next(2, 4);
  const [k, v] = [await attention.upload(key), await attention.upload(value)];
  await cache.append({ key: k, value: v });
  expect(cache.lengths).toEqual([2, 2]);
  const other = { ...k, backend: "webgpu", shape: k.shape, dtype: k.dtype, read: () => k.read() };
  await expect(cache.append({ key: other as never, value: v })).rejects.toMatchObject({
    argument: "key",
  });
  k.dispose();
  await expect(cache.append({ key: k, value: v })).rejects.toMatchObject({ code: "disposed" });
  v.dispose();
  cache.dispose();
  await attention.dispose();
});

test("the rest of a cache waits for appends that were not awaited", async () => {
  const attention = await createAttention({ backends: [wasm({ threads: 1 })] });
  const cache = await createCache(attention, small);
  const appended = cache.append(next(1));
  expect(() => cache.inputs()).toThrow("awaited");
  expect(() => cache.truncate(0)).toThrow("awaited");
  await appended;
  expect(cache.inputs().kvLengths).toEqual(Int32Array.of(1, 1));
  const last = cache.append(next(1));
  cache.dispose();
  await last;
  await attention.dispose();
});

test("an append that a device fails gives its pages back", async () => {
  const running = await createAttention({ backends: [wasm({ threads: 1 })] });
  let fails = false;
  const attention = new Proxy(running, {
    get: (target, name) => {
      if (name === "apply" && fails) return () => Promise.reject(new Error("out of order"));
      const member = Reflect.get(target, name, target);
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
  const options = { ...small, kind: "paged", capacity: 16, pageSize: 4 } as const;
  const cache = await createCache(attention, options);
  await cache.append(next(3));
  expect(cache.pages?.free).toBe(2);
  fails = true;
  await expect(cache.append(next(3))).rejects.toThrow("out of order");
  expect(cache.pages?.free).toBe(2);
  expect(cache.lengths).toEqual([3, 3]);
  fails = false;
  await cache.append(next(3));
  expect(cache.pages?.free).toBe(0);
  cache.dispose();
  await running.dispose();
});

test("a cache whose backend is lost says so", async () => {
  let lost = false;
  const base = wasm({ threads: 1 });
  const provider: AttentionProvider = {
    name: "wasm",
    load: async () => {
      const backend = await base.load();
      const plan: typeof backend.plan = async (problem) => {
        const made = await backend.plan(problem);
        const run: typeof made.run = (inputs) => {
          if (lost) throw new DeviceLostError("wasm", "the device was unplugged");
          return made.run(inputs);
        };
        return {
          description: made.description,
          run,
          dispose: () => made.dispose(),
        } as typeof made;
      };
      return new Proxy(backend, {
        get: (target, name) => {
          if (name === "plan") return plan;
          const member = Reflect.get(target, name, target);
          return typeof member === "function" ? member.bind(target) : member;
        },
      });
    },
  };
  const attention = await createAttention({ backends: [provider], recover: true });
  const [cache, other] = [await createCache(attention, small), await createCache(attention, small)];
  await cache.append(next(1));
  lost = true;
  await expect(cache.append(next(1))).rejects.toMatchObject({ code: "device-lost" });
  expect(() => cache.inputs()).toThrow(DeviceLostError);
  // It was not used since, and knows all the same.
  await expect(other.append(next(1))).rejects.toMatchObject({ code: "device-lost" });
  cache.dispose();
  other.dispose();
  await attention.dispose();
});
