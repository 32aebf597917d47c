import { Random } from "@heed/conformance";
import {
  type DeviceTensor,
  describeProblem,
  type HostTensor,
  referenceAttention,
  slice,
  toFloat64,
} from "@heed/core";
import { describe, expect, test } from "vitest";
import { loadWasm } from "../src/load.js";
import { alignment } from "../src/memory/allocator.js";
import { tensorAt } from "../src/memory/tensor.js";
import { backendOver } from "./backends.js";

type Backend = Awaited<ReturnType<typeof backendOver>>;

interface Call {
  readonly query: HostTensor;
  readonly key: HostTensor;
  readonly value: HostTensor;
}

function callOf(rows: number, keys: number, size: number, columns: number): Call {
  const random = new Random(`${rows} rows, ${keys} keys of ${size}, values of ${columns}`);
  return {
    query: random.tensor([1, rows, 1, size], "float32"),
    key: random.tensor([1, 1, keys, size], "float32"),
    value: random.tensor([1, 1, keys, columns], "float32"),
  };
}

/** The largest difference from the reference. */
async function errorOf(
  backend: Backend,
  call: Call,
  cache: { readonly key: HostTensor | DeviceTensor; readonly value: HostTensor | DeviceTensor },
): Promise<number> {
  const inputs = { query: call.query, ...cache };
  const { output } = await (await backend.plan(describeProblem(inputs))).run(inputs);
  const got = toFloat64("data" in output ? output : await output.read());
  const expected = toFloat64(referenceAttention(call).output);
  return Math.max(...got.map((x, i) => Math.abs(x - (expected[i] as number))));
}

describe.each(["baseline", "relaxed"] as const)("%s SIMD", (simd) => {
  const loading = loadWasm({ threads: 1, simd })
    .then((wasm) => backendOver(wasm))
    .catch(() => null);

  test.for([1, 2, 4])("%i rows, keys around the ends of tiles", async (rows, context) => {
    const backend = await loading;
    if (!backend) return context.skip("this engine has no relaxed SIMD");
    for (const keys of [1, 17, 255, 256, 257, 511, 512, 513, 640, 769]) {
      for (const [size, columns] of [
        [64, 64],
        [128, 20],
        [12, 72],
        [15, 64],
      ] as const) {
        const call = callOf(rows, keys, size, columns);
        expect(await errorOf(backend, call, call), `${keys} keys of ${size}`).toBeLessThan(3e-6);
      }
    }
  });

  test("rows with gaps between them", async (context) => {
    const backend = await loading;
    if (!backend) return context.skip("this engine has no relaxed SIMD");
    const wide = new Random("wide").tensor([1, 1, 600, 80], "float32");
    const [key, value] = [wide, slice(wide, 3, 16, 80)];
    const call = { ...callOf(4, 600, 64, 64), key: slice(key, 3, 0, 64), value };
    expect(await errorOf(backend, call, call)).toBeLessThan(3e-6);
  });

  test("a single row of more keys than caches hold", async (context) => {
    const backend = await loading;
    if (!backend) return context.skip("this engine has no relaxed SIMD");
    const call = callOf(1, 33_000, 64, 64);
    expect(await errorOf(backend, call, call)).toBeLessThan(3e-6);
  });
});

describe("at the end of the memory", () => {
  test.each([256, 300, 512, 768])("nothing behind %i keys is read", async (keys) => {
    for (const last of ["key", "value"] as const) {
      const wasm = await loadWasm({ threads: 1 });
      const backend = await backendOver(wasm);
      const { memory } = wasm;
      const call = callOf(4, keys, 64, 64);
      const bytes = 4 * keys * 64;
      // Room for the call itself, then all the rest but the cache, which lies at the end.
      const bytesOfCall = 200_000;
      memory.free(memory.allocate(4 * bytes + bytesOfCall));
      const room = memory.allocate(bytesOfCall);
      memory.allocate(memory.size - alignment - (room + bytesOfCall + alignment) - 2 * bytes);
      let end = 0;
      const put = (name: "key" | "value") => {
        const t = call[name];
        const address = memory.allocate(bytes);
        memory.floats.set(t.data as Float32Array, address / 4);
        end = address + bytes;
        return tensorAt(memory, "float32", t.shape, address);
      };
      const first = last === "key" ? "value" : "key";
      const cache = { [first]: put(first), [last]: put(last) };
      memory.free(room);
      const { size } = memory;
      const error = await errorOf(backend, call, cache as unknown as Call);
      expect(error).toBeLessThan(3e-6);
      // The cache is still at the end.
      expect(memory.size).toBe(size);
      expect(size - end).toBeLessThan(8 * alignment);
    }
  });
});
