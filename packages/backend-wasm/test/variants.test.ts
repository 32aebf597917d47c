import { Random } from "@heed/conformance";
import {
  type AttentionInputs,
  describeProblem,
  type HostTensor,
  referenceAttention,
  toFloat64,
} from "@heed/core";
import { describe, expect, test } from "vitest";
import { type LoadedWasm, loadWasm } from "../src/load.js";
import { compileBuild } from "../src/module.js";
import { fastest, type KnownVariants, TileChoice } from "../src/tiles/choice.js";
import { readRates, writeRates } from "../src/tiles/store.js";
import { type TileVariant, tileVariants } from "../src/tiles/variants.js";
import { backendOver, loadThreads } from "./backends.js";

type Call = AttentionInputs<HostTensor>;

const [splat, ...others] = tileVariants;
const random = new Random("variants");

/** Enough rows for three panels and a half, so that tiles are spread. */
const rows = 28;

function call(keys: number, size: number, valueSize: number, more: Partial<Call> = {}): Call {
  return {
    query: random.tensor([1, 1, rows, size], "float32"),
    key: random.tensor([1, 1, keys, size], "float32"),
    value: random.tensor([1, 1, keys, valueSize], "float32"),
    ...more,
  };
}

async function outputsOf(loading: Promise<LoadedWasm>, calls: readonly Call[]) {
  const loaded = await loading;
  const backend = await backendOver(loaded, { sharedWork: 1e5, leastSplitKeys: 64 });
  const outputs: Float64Array[] = [];
  for (const inputs of calls) {
    const { output } = await (await backend.plan(describeProblem(inputs))).run(inputs);
    outputs.push(toFloat64(output as HostTensor));
  }
  backend.dispose();
  return outputs;
}

/** Every remainder of keys, of key elements, which loops take by two, and of columns. */
const sizes = Array.from({ length: 32 }, (_, i) => call(i + 1, (i % 14) + 1, 32 - i));

const long = call(400, 24, 20);
const hiddenNaN = call(150, 16, 16, { causal: true, queryOffset: 100 });
hiddenNaN.value.data[140 * 16 + 3] = Number.NaN;
const masks = [
  call(400, 24, 20, { causal: true, queryOffset: "bottom-right" }),
  call(400, 24, 20, { causal: true, queryOffset: 7 }),
  call(400, 24, 20, { window: { left: 37, right: 5 }, queryOffset: 93 }),
  call(400, 24, 20, { kvLengths: [211] }),
  call(150, 24, 20, { mask: random.mask([1, 1, rows, 150], 0.6) }),
  { ...long, bias: random.tensor([1, 1, rows, 400], "float32") },
  hiddenNaN,
];

describe.each(["baseline", "best"] as const)("%s build", (build) => {
  const simd = build === "baseline" ? build : undefined;
  const load = (variant: TileVariant, threads = 1) => loadThreads({ threads, simd, variant });

  test("all variants give the same bits: sizes", async () => {
    const expected = await outputsOf(load(splat), sizes);
    for (const variant of others) {
      expect(await outputsOf(load(variant), sizes), variant).toEqual(expected);
    }
    sizes.forEach((inputs, i) => {
      const reference = toFloat64(referenceAttention(inputs).output);
      const worst = reference.map((x, at) => Math.abs(x - (expected[i]?.[at] as number)));
      expect(Math.max(...worst)).toBeLessThan(3e-6);
    });
  });

  test("all variants give the same bits: hidden keys, and on two threads", async () => {
    const expected = await outputsOf(load(splat), masks);
    for (const variant of others) {
      expect(await outputsOf(load(variant), masks), variant).toEqual(expected);
      expect(await outputsOf(load(variant, 2), [long]), variant).toEqual(
        await outputsOf(load(splat, 2), [long]),
      );
    }
  });
});

test("the variant that is measured is used only if it is faster by a margin", () => {
  expect(fastest({ splat: 10, spread: 11, "spread-by-two": 12 })).toBe("spread-by-two");
  expect(fastest({ splat: 10, spread: 12, "spread-by-two": 11 })).toBe("spread");
  expect(fastest({ splat: 10, spread: 10.4, "spread-by-two": 9 })).toBe("splat");
});

test("measures in the first calls, says what it found, and knows it the next time", async () => {
  const { memory, kernels } = await loadWasm({ threads: 1, simd: "baseline" });
  const used = memory.used;
  const known: KnownVariants = new Map();
  const choice = new TileChoice(memory, kernels, "baseline", undefined, null, known);
  expect(choice.variant).toBe("splat");
  expect(choice.note).toContain("until the first calls");
  for (let round = 0; round < 16; round++) choice.measure();
  expect(choice.note).toMatch(
    /^tiles: (.*), measured in GFLOP\/s: splat \d+\.\d, spread \d+\.\d, spread-by-two \d+\.\d$/,
  );
  expect(choice.note).toContain(`tiles: ${choice.variant},`);
  expect(memory.used).toBe(used);
  const next = new TileChoice(memory, kernels, "baseline", undefined, null, known);
  expect([next.variant, next.note]).toEqual([choice.variant, choice.note]);
  const asked = new TileChoice(memory, kernels, "baseline", "spread");
  expect([asked.variant, asked.note]).toEqual(["spread", "tiles: spread, asked for"]);
});

describe("a store", () => {
  /** A store of one text. */
  const inText = (text: string | null = null) => {
    const store = {
      text,
      read: () => store.text,
      write: (written: string) => {
        store.text = written;
      },
    };
    return store;
  };
  const rates = { splat: 20, spread: 30, "spread-by-two": 40 };

  test("gives back rates of the same build, and of no other", async () => {
    const store = inText();
    await writeRates(store, "baseline", rates);
    await writeRates(store, "baseline", { ...rates, spread: 50 });
    expect(await readRates(store, "baseline")).toEqual({ ...rates, spread: 50 });
    expect(await readRates(store, "relaxed")).toBeNull();
    await writeRates(store, "relaxed", rates);
    expect(await readRates(store, "baseline")).toEqual({ ...rates, spread: 50 });
    expect(await readRates(store, "relaxed")).toEqual(rates);
  });

  test("of another engine or processor, damaged or failing, gives none", async () => {
    const store = inText();
    await writeRates(store, "baseline", rates);
    const text = store.text as string;
    const damaged = [
      text.replace(/"baseline; [^;]*;/, '"baseline; another engine;'),
      text.replace(/; [^;]*":\{/, '; another processor":{'),
      text.replace('"splat":20', '"splat":-1'),
      text.replace('"splat":20', '"splat":"20"'),
      text.replace('"splat":20,', ""),
      text.replace('"version":1', '"version":2'),
      text.replace("heed-wasm", "other"),
      text.slice(1),
      "null",
      "",
    ];
    for (const other of damaged) {
      expect(other).not.toBe(text);
      expect(await readRates(inText(other), "baseline"), other).toBeNull();
    }
    const fails = () => {
      throw new Error("quota");
    };
    const failing = { read: async () => fails(), write: fails };
    expect(await readRates(failing, "baseline")).toBeNull();
    await writeRates(failing, "baseline", rates);
  });

  test("spares a later process measuring", async () => {
    const { memory, kernels } = await loadWasm({ threads: 1, simd: "baseline" });
    const store = inText();
    // Nothing is known yet, as in a new process.
    const inNewProcess = (asked?: TileVariant) =>
      new TileChoice(memory, kernels, "baseline", asked, store, new Map());
    const choice = inNewProcess();
    await choice.restore();
    expect(choice.note).toContain("until the first calls");
    for (let round = 0; round < 16; round++) choice.measure();
    await expect.poll(() => store.text).toContain("splat");

    const later = inNewProcess();
    await later.restore();
    expect(later.note).toBe(choice.note.replace("measured", "measured earlier"));
    const asked = inNewProcess("spread");
    await asked.restore();
    expect(asked.note).toBe("tiles: spread, asked for");
  });
});

test("long calls measure, and short ones once they add up", async () => {
  // Nothing is known of a module that is given.
  const module = await compileBuild("baseline", false);
  const square = (length: number): Call => ({
    query: random.tensor([1, 1, length, 64], "float32"),
    key: random.tensor([1, 1, length, 64], "float32"),
    value: random.tensor([1, 1, length, 64], "float32"),
  });
  // Multiply-adds: 12 calls of 6.3e7 or more, and 16 times 13 calls of 1.6e7.
  for (const [inputs, few, enough] of [
    [square(700), 0, 16],
    [square(360), 12, 16 * 13],
  ] as const) {
    const wasm = await loadWasm({ threads: 1, module });
    const backend = await backendOver(wasm);
    const plan = await backend.plan(describeProblem(inputs));
    for (let i = 0; i < 12; i++) await (await backend.plan(describeProblem(long))).run(long);
    for (let i = 0; i < few; i++) await plan.run(inputs);
    expect(wasm.tiles.note).toContain("until the first calls");
    const measured = () => wasm.tiles.note.includes("measured in GFLOP/s");
    for (let i = 0; i < enough && !measured(); i++) await plan.run(inputs);
    expect(measured()).toBe(true);
    backend.dispose();
  }
});
