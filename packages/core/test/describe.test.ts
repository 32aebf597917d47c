import {
  type AttentionInputs,
  attentionFeaturesOf,
  type DeviceTensor,
  DisposedError,
  describeProblem,
  InvalidInputError,
  slice,
  type Tensor,
  tensor,
  visibleBand,
  zeros,
} from "@heed/core";
import { describe, expect, test } from "vitest";

const f32 = (...shape: number[]): Tensor => zeros("float32", shape);

/** A valid call: batch 2, 4 heads on 2, 3 queries, 5 keys, sizes 8 and 6. */
const call = (changes: Partial<Record<keyof AttentionInputs, unknown>> = {}): AttentionInputs =>
  ({
    query: f32(2, 4, 3, 8),
    key: f32(2, 2, 5, 8),
    value: f32(2, 2, 5, 6),
    ...changes,
  }) as AttentionInputs;

const device = (disposed: boolean): DeviceTensor => ({
  backend: "gpu",
  dtype: "float32",
  shape: [2, 4, 3, 8],
  disposed,
  read: async () => zeros("float32", [2, 4, 3, 8]),
  dispose: () => {},
});

describe("describeProblem", () => {
  test("gives the canonical problem", () => {
    expect(describeProblem(call())).toEqual({
      operation: "attention",
      key: expect.any(String),
      batch: 2,
      queryHeads: 4,
      kvHeads: 2,
      queryLength: 3,
      keyLength: 5,
      headDim: 8,
      valueDim: 6,
      dtype: "float32",
      kvDtype: "float32",
      pages: null,
      ragged: null,
      sequences: 2,
      mask: null,
      bias: null,
      causal: false,
      maskMod: null,
      scoreMod: null,
      blockMask: null,
      window: null,
      positions: "none",
      queryPositions: null,
      keyPositions: null,
      kvLengths: false,
      alibi: false,
      sinks: false,
      scale: 1 / Math.sqrt(8),
      softcap: null,
      returns: { logSumExp: false, weights: false, scores: null },
    });
  });

  test("equal problems have equal keys, whatever their data, strides and way of saying it", () => {
    const plain = describeProblem(call());
    const wide = f32(2, 4, 3, 9);
    const same: Partial<Record<keyof AttentionInputs, unknown>>[] = [
      { query: slice(wide as ReturnType<typeof zeros>, 3, 1, 9) },
      { scale: 1 / Math.sqrt(8) },
      { softcap: 0 },
      { causal: false },
      { window: {} },
      { returns: {} },
      // An offset that no rule uses is not part of the problem.
      { queryOffset: 4 },
    ];
    for (const changes of same) expect(describeProblem(call(changes)).key).toBe(plain.key);
    const at = (queryOffset: number) => describeProblem(call({ causal: true, queryOffset })).key;
    expect(at(1)).toBe(at(2));
  });

  test("every field that differs makes another key", () => {
    const different: Partial<Record<keyof AttentionInputs, unknown>>[] = [
      {},
      { query: f32(2, 2, 3, 8) },
      { query: f32(2, 4, 4, 8) },
      { value: f32(2, 2, 5, 7) },
      { mask: zeros("bool", [5]) },
      { mask: zeros("bool", [3, 5]) },
      { mask: zeros("bool", [2, 1, 1, 5]) },
      { bias: f32(5) },
      { bias: f32(4, 1, 5) },
      { causal: true, queryOffset: 0 },
      { causal: true, queryOffset: "bottom-right" },
      { causal: true, queryOffset: Int32Array.of(1, 2) },
      { window: { left: 1 }, queryOffset: 0 },
      { window: { right: 1 }, queryOffset: 0 },
      { window: { left: 1, right: 1 }, queryOffset: 0 },
      { window: { left: 11 }, queryOffset: 0 },
      { kvLengths: Int32Array.of(1, 2) },
      { alibiSlopes: Float32Array.of(1, 1, 1, 1), queryOffset: 0 },
      { sinks: [0, 0, 0, 0] },
      { scale: 1 },
      { softcap: 1 },
      { returns: { logSumExp: true } },
      { returns: { weights: true } },
      { returns: { scores: "raw" } },
      { returns: { scores: "capped" } },
      { returns: { scores: "biased" } },
    ];
    const keys = different.map((changes) => describeProblem(call(changes)).key);
    expect(new Set(keys).size).toBe(keys.length);
  });

  test("masks and biases broadcast from the right, rank 1 to 4", () => {
    const shapes = [
      [5],
      [1],
      [3, 5],
      [3, 1],
      [1, 5],
      [4, 3, 5],
      [1, 1, 5],
      [2, 4, 3, 5],
      [2, 1, 1, 5],
      [1, 4, 1, 1],
    ];
    for (const shape of shapes) {
      const expected = [1, 1, 1, 1, ...shape].slice(-4);
      expect(describeProblem(call({ mask: zeros("bool", shape) })).mask?.shape).toEqual(expected);
      expect(describeProblem(call({ bias: f32(...shape) })).bias?.shape).toEqual(expected);
    }
  });

  test("zero sizes are sizes", () => {
    const empty = (b: number, h: number, g: number, q: number, k: number) =>
      describeProblem({
        query: f32(b, h, q, 8),
        key: f32(b, g, k, 8),
        value: f32(b, g, k, 8),
        mask: zeros("bool", [1, 1, q, k]),
      });
    expect(empty(0, 4, 2, 3, 5).batch).toBe(0);
    expect(empty(2, 0, 0, 3, 5).queryHeads).toBe(0);
    expect(empty(2, 0, 2, 3, 5).queryHeads).toBe(0);
    expect(empty(2, 4, 2, 0, 5).queryLength).toBe(0);
    expect(empty(2, 4, 2, 3, 0).keyLength).toBe(0);
  });

  test("equal lengths need no offset", () => {
    const square = { query: f32(1, 1, 5, 8), key: f32(1, 1, 5, 8), value: f32(1, 1, 5, 8) };
    expect(describeProblem({ ...square, causal: true }).positions).toBe("fixed");
  });

  test("causal bounds the band's right, also where the window is wider", () => {
    const band = (changes: object) =>
      visibleBand(describeProblem(call({ queryOffset: 0, ...changes })));
    expect(band({})).toEqual({ left: Infinity, right: Infinity });
    expect(band({ causal: true, window: { left: 2, right: 3 } })).toEqual({ left: 2, right: 0 });
    expect(band({ window: { right: 3 } })).toEqual({ left: Infinity, right: 3 });
  });
});

describe("a wrong call gives an error that names", () => {
  const wrong: [string, Partial<Record<keyof AttentionInputs, unknown>>, string][] = [
    ["query that is missing", { query: undefined }, "query"],
    ["query that is an array", { query: new Float32Array(4) }, "query"],
    ["query of rank 3", { query: f32(4, 3, 8) }, "query"],
    ["query of integers", { query: zeros("int32", [2, 4, 3, 8]) }, "query"],
    ["query heads that are no multiple", { query: f32(2, 3, 3, 8) }, "query"],
    ["head size 0", { query: f32(2, 4, 3, 0), key: f32(2, 2, 5, 0) }, "query"],
    ["value head size 0", { value: f32(2, 2, 5, 0) }, "value"],
    ["key of another batch", { key: f32(1, 2, 5, 8) }, "key"],
    ["key of another head size", { key: f32(2, 2, 5, 7) }, "key"],
    ["key of another dtype", { key: zeros("float64", [2, 2, 5, 8]) }, "key"],
    ["key without heads", { key: f32(2, 0, 5, 8), value: f32(2, 0, 5, 6) }, "query"],
    ["value of another length", { value: f32(2, 2, 4, 6) }, "value"],
    ["value of other heads", { value: f32(2, 4, 5, 6) }, "value"],
    ["value of another batch", { value: f32(3, 2, 5, 6) }, "value"],
    ["value of another dtype", { value: zeros("float16", [2, 2, 5, 6]) }, "value"],
    ["mask that does not broadcast", { mask: zeros("bool", [4]) }, "mask"],
    ["mask shorter than the keys", { mask: zeros("bool", [3, 3]) }, "mask"],
    ["mask of rank 0", { mask: zeros("bool", []) }, "mask"],
    ["mask of rank 5", { mask: zeros("bool", [1, 1, 1, 3, 5]) }, "mask"],
    ["mask of numbers", { mask: f32(3, 5) }, "mask"],
    ["bias that does not broadcast", { bias: f32(2, 5) }, "bias"],
    ["bias of booleans", { bias: zeros("bool", [3, 5]) }, "bias"],
    ["bias of float64 on float32", { bias: zeros("float64", [3, 5]) }, "bias"],
    ["causal that is no boolean", { causal: 1 }, "causal"],
    ["window that is a number", { window: 3 }, "window"],
    ["window with another member", { window: { size: 3 } }, "window.size"],
    ["negative window", { window: { left: -1 } }, "window.left"],
    ["fractional window", { window: { right: 0.5 } }, "window.right"],
    ["queryOffset missing for causal", { causal: true }, "queryOffset"],
    ["queryOffset missing for a window", { window: { left: 1 } }, "queryOffset"],
    ["queryOffset missing for ALiBi", { alibiSlopes: [1, 1, 1, 1] }, "queryOffset"],
    ["queryOffset of another word", { causal: true, queryOffset: "top-left" }, "queryOffset"],
    ["fractional queryOffset", { causal: true, queryOffset: 0.5 }, "queryOffset"],
    ["queryOffset past 2^31", { causal: true, queryOffset: 2 ** 31 }, "queryOffset"],
    ["queryOffset of NaN", { causal: true, queryOffset: Number.NaN }, "queryOffset"],
    ["queryOffset for one of two", { causal: true, queryOffset: Int32Array.of(1) }, "queryOffset"],
    ["kvLengths past the keys", { kvLengths: Int32Array.of(5, 6) }, "kvLengths"],
    ["negative kvLengths", { kvLengths: Int32Array.of(5, -1) }, "kvLengths"],
    ["kvLengths for one of two", { kvLengths: Int32Array.of(5) }, "kvLengths"],
    ["fractional kvLengths", { kvLengths: [1, 0.5] }, "kvLengths"],
    ["kvLengths that is a number", { kvLengths: 5 }, "kvLengths"],
    ["alibiSlopes for key heads", { alibiSlopes: [1, 1], queryOffset: 0 }, "alibiSlopes"],
    ["infinite slopes", { alibiSlopes: [1, 1, 1, Infinity], queryOffset: 0 }, "alibiSlopes"],
    ["sinks for key heads", { sinks: Float32Array.of(1, 1) }, "sinks"],
    ["NaN sinks", { sinks: [0, 0, Number.NaN, 0] }, "sinks"],
    ["sinks of +∞", { sinks: [0, 0, Infinity, 0] }, "sinks"],
    ["sinks of rank 2", { sinks: f32(4, 1) }, "sinks"],
    ["sinks that are a number", { sinks: 1 }, "sinks"],
    ["NaN scale", { scale: Number.NaN }, "scale"],
    ["infinite scale", { scale: Infinity }, "scale"],
    ["scale that is a string", { scale: "1" }, "scale"],
    ["negative softcap", { softcap: -1 }, "softcap"],
    ["NaN softcap", { softcap: Number.NaN }, "softcap"],
    ["scores of another kind", { returns: { scores: "masked" } }, "returns.scores"],
    ["weights that is no boolean", { returns: { weights: 1 } }, "returns.weights"],
    ["another output", { returns: { lse: true } }, "returns.lse"],
    ["another input", { maks: zeros("bool", [5]) } as object, "inputs.maks"],
  ];
  test.each(wrong)("%s", (_, changes, argument) => {
    let error: unknown;
    try {
      describeProblem(call(changes));
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(InvalidInputError);
    expect((error as InvalidInputError).argument).toBe(argument);
  });

  test("queryOffset, with both choices, where lengths differ or kvLengths is given", () => {
    expect(() => describeProblem(call({ causal: true }))).toThrow(/0 aligns.*"bottom-right"/);
    const square = { query: f32(2, 1, 5, 8), key: f32(2, 1, 5, 8), value: f32(2, 1, 5, 8) };
    const lengths = { ...square, causal: true, kvLengths: Int32Array.of(3, 5) };
    expect(() => describeProblem(lengths)).toThrow(/kvLengths.*"bottom-right"/);
  });

  test("a buffer detached since the tensor was made", () => {
    const data = new Float32Array(2 * 4 * 3 * 8);
    const query = tensor(data, [2, 4, 3, 8]);
    structuredClone(data.buffer, { transfer: [data.buffer] });
    expect(() => describeProblem(call({ query }))).toThrow(/query\.data.*detached/);
  });

  test("a tensor made by hand whose strides leave its data", () => {
    const query = { ...f32(2, 4, 3, 8), strides: [96, 24, 9, 1] };
    expect(() => describeProblem(call({ query }))).toThrow(/query\.strides/);
    expect(() => describeProblem(call({ query: { ...query, shape: [2, -4, 3, 8] } }))).toThrow(
      /query\.shape/,
    );
  });

  test("outputs past 2^31 elements, before anything is allocated", () => {
    const long = (length: number) =>
      tensor(new Float32Array(8), [1, 1, length, 8], { strides: [0, 0, 0, 1] });
    const inputs = { query: long(2 ** 17), key: long(2 ** 17), value: long(2 ** 17) };
    expect(describeProblem(inputs).queryLength).toBe(2 ** 17);
    expect(() => describeProblem({ ...inputs, returns: { weights: true } })).toThrow(
      /returns\.weights.*2\^31/,
    );
  });

  test("a device tensor that was disposed", () => {
    expect(describeProblem(call({ query: device(false) })).batch).toBe(2);
    expect(() => describeProblem(call({ query: device(true) }))).toThrow(DisposedError);
    expect(() => describeProblem(call({ query: device(true) }))).toThrow(/query/);
  });

  test("inputs that are no object", () => {
    expect(() => describeProblem(undefined as unknown as AttentionInputs)).toThrow(/inputs/);
  });
});

test("a window may be open at either side, and every output that is asked for is described", () => {
  const windows = [{ left: 3 }, { right: 2 }, { left: 0, right: 0 }, {}];
  const positions = { queryOffset: 0, causal: false };
  expect(windows.map((window) => describeProblem(call({ ...positions, window })).window)).toEqual([
    { left: 3, right: null },
    { left: null, right: 2 },
    { left: 0, right: 0 },
    null,
  ]);
  for (const returns of [
    { logSumExp: true },
    { weights: true },
    { scores: "raw" },
    { scores: "capped", weights: true },
    { logSumExp: true, scores: "biased" },
  ] as const) {
    expect(describeProblem(call({ returns })).returns).toEqual({
      logSumExp: false,
      weights: false,
      scores: null,
      ...returns,
    });
  }
});

test("a function that is given for a number is named as one", () => {
  expect(() => describeProblem(call({ scale: () => 1 }))).toThrow("a function");
});

describe("the features of a problem are those that it has, and no others", () => {
  const t = (...shape: number[]) => zeros("float32", shape);
  const plain = { query: t(2, 4, 6, 8), key: t(2, 4, 6, 8), value: t(2, 4, 6, 8) };
  const halves = { key: zeros("float16", [2, 4, 6, 8]), value: zeros("float16", [2, 4, 6, 8]) };
  const bytes = { key: zeros("int8", [2, 4, 6, 8]), value: zeros("int8", [2, 4, 6, 8]) };
  const scales = { keyScales: t(2, 4, 6), valueScales: t(2, 4, 6) };
  const wide = Object.fromEntries(
    Object.keys(plain).map((name) => [name, zeros("float64", [2, 4, 6, 8])]),
  );
  const ints = (...shape: number[]) => zeros("int32", shape);
  const positions = tensor(Int32Array.of(0, 1, 2, 3, 4, 5), [1, 6]);
  test.each<[string, object]>([
    ["float32", {}],
    ["float64", wide],
    ["float32, grouped-query heads", { key: t(2, 2, 6, 8), value: t(2, 2, 6, 8) }],
    ["float32, value head size", { value: t(2, 4, 6, 5) }],
    ["float32, cross-attention", { key: t(2, 4, 7, 8), value: t(2, 4, 7, 8) }],
    ["float32, causal", { causal: true }],
    ["float32, causal, queryOffset", { causal: true, queryOffset: [0, 1] }],
    ["float32, window", { window: { left: 1 } }],
    ["float32, kvLengths", { kvLengths: [6, 5] }],
    ["float32, float16 keys and values", halves],
    ["float16", { ...halves, query: zeros("float16", [2, 4, 6, 8]) }],
    ["float32, int8 keys and values", { ...bytes, ...scales }],
    [
      "float32, kvLengths, pages",
      { key: t(4, 4, 3, 8), value: t(4, 4, 3, 8), pageTable: ints(2, 2), kvLengths: [6, 6] },
    ],
    [
      "float32, ragged batch",
      {
        ...{ query: t(1, 4, 6, 8), key: t(1, 4, 6, 8), value: t(1, 4, 6, 8) },
        ...{ queryStarts: [0, 2, 6], keyStarts: [0, 2, 6] },
      },
    ],
    [
      "float32, causal, ragged batch",
      {
        ...{ query: t(1, 4, 6, 8), key: t(1, 4, 6, 8), value: t(1, 4, 6, 8), causal: true },
        ...{ queryStarts: [0, 2, 6], keyStarts: [0, 2, 6] },
      },
    ],
    ["float32, causal, query positions", { causal: true, queryPositions: positions }],
    ["float32, causal, key positions", { causal: true, keyPositions: positions }],
    ["float32, mask", { mask: zeros("bool", [6]) }],
    ["float32, bias", { bias: t(6) }],
    ["float32, ALiBi", { alibiSlopes: [1, 1, 1, 1] }],
    ["float32, softcap", { softcap: 1 }],
    ["float32, sinks", { sinks: [1, 1, 1, 1] }],
    ["float32, logSumExp", { returns: { logSumExp: true } }],
    ["float32, weights", { returns: { weights: true } }],
    ["float32, scores", { returns: { scores: "raw" } }],
  ])("%s", (names, changes) => {
    const problem = describeProblem({ ...plain, ...changes } as AttentionInputs);
    expect(attentionFeaturesOf(problem).join(", ")).toBe(names);
  });
});
