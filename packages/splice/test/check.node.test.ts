import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { js } from "@heed/backend-js";
import { hostProvider, referenceAttention, tensor, toFloat64 } from "@heed/core";
import { checkModel, type ModelCheck } from "@heed/splice/check";
import { parseSizes, randomFeeds, readNpz } from "@heed/splice/feeds";
import { zipSync } from "fflate";
import * as ort from "onnxruntime-node";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { main } from "../src/cli/main.js";
import { bert } from "./models/encoders.js";
import { scalePerHead } from "./models/traps.js";
import { tensors } from "./runs.js";

/** Right on the problems of the self-test, and off by 0.01 % on five keys of four elements. */
const slightlyWrong = hostProvider("slightly-wrong", () => ({
  info: { runtime: "JavaScript", device: "CPU", features: [], threads: 1 },
  plan: (problem) => ({
    description: { kernel: "wrong", tiles: {}, workspaceBytes: 0, dispatches: 1 } as never,
    run: (_, inputs) => {
      const { keyLength, headDim } = problem;
      const factor = keyLength === 5 && headDim === 4 ? 1.0001 : 1;
      const outputs = Object.entries(referenceAttention(inputs)).map(([name, t]) => {
        const data = Float32Array.from(toFloat64(t), (one) => one * factor);
        return [name, tensor(data, t.shape)];
      });
      return Object.fromEntries(outputs);
    },
  }),
}));

describe("checkModel", () => {
  const { bytes, feeds } = bert();

  test("passes a right backend, fails one that is off, and names one that is missing", async () => {
    const missing = {
      name: "missing",
      load: () => Promise.reject(new Error("no such device")),
    };
    const checks = await checkModel(bytes, {
      runtime: ort,
      feeds: tensors(feeds),
      backends: [js(), slightlyWrong, missing],
    });
    const [right, wrong] = checks as [ModelCheck, ModelCheck];
    expect(right).toMatchObject({ backend: "js", passed: true });
    expect(right.sites[0]).toMatchObject({ backend: "js", sizes: [2, 2, 5, 5], causal: false });
    expect(right.outputs.map(({ name }) => name)).toEqual(["last_hidden_state", "mixed"]);
    expect(wrong).toMatchObject({ backend: "slightly-wrong", passed: false });
    expect(wrong.sites[0]?.budgets).toBeGreaterThan(10);
    expect(wrong.outputs[0]?.budgets).toBeGreaterThan(1);
    expect(checks[2]).toMatchObject({ unavailable: expect.stringContaining("no such device") });
  });

  test("says which sites the runtime ran", async () => {
    const [check] = await checkModel(scalePerHead.bytes, {
      runtime: ort,
      feeds: tensors(scalePerHead.feeds),
      backends: [js()],
    });
    expect(check).toMatchObject({ passed: true, sites: [{ backend: null, budgets: null }] });
  });
});

describe("feeds", () => {
  const input = (name: string, elementType: number, dims: (string | number | null)[]) => ({
    name,
    dims,
    elementType,
    embeddingRows: name === "ids" ? 7 : null,
  });

  test("random ones fit the inputs, and are the same each time", () => {
    const inputs = [
      input("ids", 7, ["batch", "sequence"]),
      input("attention_mask", 7, [null, "total"]),
      input("position_ids", 7, [1, null]),
      input("pixels", 1, ["n", 3, "height"]),
      input("past_key", 10, ["batch", 2, "past", 4]),
    ];
    const sizes = parseSizes("batch=2,length=3,height=5");
    const feeds = randomFeeds(inputs, sizes);
    expect(Object.values(feeds).map(({ dims }) => dims)).toEqual([
      [2, 3],
      [2, 3],
      [1, 3],
      [2, 3, 5],
      [2, 2, 0, 4],
    ]);
    expect(Array.from(feeds.ids?.data as BigInt64Array).every((one) => one >= 0n && one < 7n)).toBe(
      true,
    );
    expect(feeds.attention_mask?.data).toEqual(new BigInt64Array(6).fill(1n));
    expect(feeds.position_ids?.data).toEqual(BigInt64Array.of(0n, 1n, 2n));
    expect(randomFeeds(inputs, sizes)).toEqual(feeds);
    expect(() => randomFeeds(inputs, { batch: 2 })).toThrow("a size of sequence, or length");
    expect(() => randomFeeds([input("x", 8, [1])], {})).toThrow("element type 8");
    expect(() => parseSizes("batch")).toThrow("NAME=SIZE");
  });

  test("files of numpy.savez", () => {
    const header = (descr: string, shape: string) => {
      const text = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${shape}), }`;
      const length = Math.ceil((10 + text.length + 1) / 64) * 64 - 10;
      return Uint8Array.of(
        ...[0x93, ...Buffer.from("NUMPY"), 1, 0, length & 255, length >> 8],
        ...Buffer.from(`${text.padEnd(length - 1)}\n`),
      );
    };
    const file = (descr: string, shape: string, data: ArrayBufferView) =>
      Buffer.concat([header(descr, shape), new Uint8Array(data.buffer)]);
    const npz = zipSync({
      "x.npy": file("<f4", "2, 2", Float32Array.of(1, 2, 3, 4)),
      "ids.npy": file("<i8", "3,", BigInt64Array.of(5n, 6n, 7n)),
    });
    expect(readNpz(npz)).toEqual({
      x: { type: "float32", dims: [2, 2], data: Float32Array.of(1, 2, 3, 4) },
      ids: { type: "int64", dims: [3], data: BigInt64Array.of(5n, 6n, 7n) },
    });
    expect(() => readNpz(Uint8Array.of(1, 2, 3))).toThrow("numpy.savez");
    expect(() => readNpz(zipSync({ "x.npy": file("<c8", "1,", new Float32Array(2)) }))).toThrow(
      "<c8",
    );
    expect(() => readNpz(zipSync({ "x.npy": file("<f4", "9,", new Float32Array(2)) }))).toThrow(
      "truncated",
    );
  });
});

describe("heed-splice check", () => {
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "heed-splice-"));
    await writeFile(join(folder, "bert.onnx"), bert().bytes);
    await writeFile(join(folder, "cut.onnx"), bert().bytes.subarray(0, 500));
  });
  afterAll(() => rm(folder, { recursive: true }));
  afterEach(() => vi.restoreAllMocks());

  const run = async (...args: string[]) => {
    const print = vi.spyOn(console, "log").mockImplementation(() => {});
    const complain = vi.spyOn(console, "error").mockImplementation(() => {});
    const code = await main(["check", ...args]);
    return { code, text: [...print.mock.calls, ...complain.mock.calls].flat().join("\n") };
  };

  test("prints sites, errors and a verdict", async () => {
    const model = join(folder, "bert.onnx");
    const { code, text } = await run(model, "--random", "batch=2,length=6", "--backend", "js");
    expect(text).toContain("js: the model keeps its outputs");
    expect(text).toContain("last_hidden_state");
    expect(text).toContain("left to the runtime: Softmax");
    expect(text).toContain("2 × 2 × 6 × 6");
    expect(code).toBe(0);
  });

  test("ends with 2 for wrong files and arguments", async () => {
    const cut = await run(join(folder, "cut.onnx"));
    expect(cut).toMatchObject({
      code: 2,
      text: expect.stringContaining("the file ends after 500 bytes"),
    });
    expect(await run(join(folder, "absent.onnx"))).toMatchObject({ code: 2 });
    expect(await run(join(folder, "bert.onnx"), "--random", "x")).toMatchObject({ code: 2 });
    expect(await run(join(folder, "bert.onnx"), "--backend", "none")).toMatchObject({ code: 2 });
  });
});
