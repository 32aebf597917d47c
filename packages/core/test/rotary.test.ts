import {
  createAttention,
  fromFloat64,
  type HostTensor,
  InvalidInputError,
  type RotaryInputs,
  reference,
  rotary,
  tensor,
  toFloat64,
  transpose,
  zeros,
} from "@heed/core";
import { describe, expect, test } from "vitest";

const filled = (shape: readonly number[], dtype: "float64" | "float32" | "float16" = "float64") =>
  fromFloat64(
    Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(i * 1.7)),
    shape,
    dtype,
  );

function compute(inputs: RotaryInputs): Float64Array {
  const bound = rotary.bind(rotary.describe(inputs), inputs);
  return toFloat64(rotary.reference(bound).output as HostTensor);
}

/** Dot product of the head vectors of tokens a and b of a tensor `[1, 1, length, headDim]`. */
function dot(x: Float64Array, a: number, b: number, headDim: number): number {
  let sum = 0;
  for (let c = 0; c < headDim; c++) {
    sum += (x[a * headDim + c] as number) * (x[b * headDim + c] as number);
  }
  return sum;
}

describe("rotary", () => {
  const input = filled([2, 3, 5, 8]);

  test("turns pairs by position times frequency, by hand", () => {
    const one = tensor(Float64Array.of(1, 2, 3, 4, 5), [1, 1, 1, 5]);
    const inverseFrequencies = [0.5, 0.25];
    const [a, b] = [3 * 0.5, 3 * 0.25];
    const halves = compute({ input: one, offset: 3, inverseFrequencies, rotaryDim: 4 });
    expect([...halves]).toEqual([
      1 * Math.cos(a) - 3 * Math.sin(a),
      2 * Math.cos(b) - 4 * Math.sin(b),
      3 * Math.cos(a) + 1 * Math.sin(a),
      4 * Math.cos(b) + 2 * Math.sin(b),
      5,
    ]);
    const pairs = compute({
      input: one,
      offset: 3,
      inverseFrequencies,
      rotaryDim: 4,
      interleaved: true,
    });
    expect([...pairs]).toEqual([
      1 * Math.cos(a) - 2 * Math.sin(a),
      2 * Math.cos(a) + 1 * Math.sin(a),
      3 * Math.cos(b) - 4 * Math.sin(b),
      4 * Math.cos(b) + 3 * Math.sin(b),
      5,
    ]);
  });

  test("a bound call's inputs are the same call", () => {
    const positions = tensor(Int32Array.of(4, 0, 2, 1, 3, 0, 1, 2, 3, 4), [2, 5]);
    for (const angles of [{ theta: 100 }, { theta: 100, positions }, { theta: 100, offset: 2 }]) {
      const call = { input, ...angles };
      const { inputs } = rotary.bind(rotary.describe(call), call);
      expect(compute(inputs)).toEqual(compute(call));
    }
    const perToken = filled([2, 5, 4]);
    const call = { input, cos: perToken, sin: perToken };
    const { inputs } = rotary.bind(rotary.describe(call), call);
    expect(compute(inputs)).toEqual(compute(call));
  });

  test("angles are those of the call's own frequencies and positions, whatever was computed before", () => {
    const one = tensor(Float64Array.of(1, 2), [1, 1, 1, 2]);
    for (const [frequency, offset] of [
      [0.5, 3],
      [0.25, 3],
      [0.25, 4],
      [0.5, 3],
    ] as const) {
      const angle = frequency * offset;
      expect([...compute({ input: one, offset, inverseFrequencies: [frequency] })]).toEqual([
        Math.cos(angle) - 2 * Math.sin(angle),
        2 * Math.cos(angle) + Math.sin(angle),
      ]);
    }
  });

  test("dot products depend on differences of positions alone", () => {
    const same = tensor(
      Float64Array.from({ length: 4 * 8 }, (_, i) => Math.cos(i % 8)),
      [1, 1, 4, 8],
    );
    const turned = compute({ input: same, positions: Int32Array.of(2, 7, 102, 107), theta: 100 });
    expect(dot(turned, 0, 1, 8)).toBeCloseTo(dot(turned, 2, 3, 8), 10);
    expect(dot(turned, 0, 0, 8)).toBeCloseTo(dot(toFloat64(same), 0, 0, 8), 10);
  });

  test("every way to give positions and angles gives the same", () => {
    const offset = [4, 7];
    const positions = Int32Array.of(4, 5, 6, 7, 8, 7, 8, 9, 10, 11);
    const inverseFrequencies = Float64Array.from({ length: 4 }, (_, i) => 10000 ** ((-2 * i) / 8));
    const row = (f: (x: number) => number, p: number) =>
      Array.from(inverseFrequencies, (frequency) => f(p * frequency));
    const table = (f: (x: number) => number) =>
      tensor(Float64Array.from(Array.from({ length: 12 }, (_, p) => row(f, p)).flat()), [12, 4]);
    const rows = (f: (x: number) => number) =>
      tensor(Float64Array.from(Array.from(positions, (p) => row(f, p)).flat()), [2, 5, 4]);
    const expected = compute({ input, offset, theta: 10000 });
    const ways: Partial<RotaryInputs>[] = [
      { offset: Int32Array.from(offset), inverseFrequencies },
      { positions, inverseFrequencies },
      { positions: tensor(positions, [2, 5]), theta: 10000 },
      { positions, cos: table(Math.cos), sin: table(Math.sin) },
      { offset, cos: table(Math.cos), sin: table(Math.sin) },
      { cos: rows(Math.cos), sin: rows(Math.sin) },
    ];
    for (const way of ways) expect(compute({ input, ...way })).toEqual(expected);
    const shared = compute({ input, theta: 10000 });
    expect(compute({ input, theta: 10000, positions: Int32Array.of(0, 1, 2, 3, 4) })).toEqual(
      shared,
    );
    expect(compute({ input, theta: 10000, offset: 0 })).toEqual(shared);
  });

  test("reads any strides", () => {
    const swapped = transpose(filled([2, 5, 3, 8]), [0, 2, 1, 3]);
    const copy = tensor(Float64Array.from(toFloat64(swapped)), [2, 3, 5, 8]);
    expect(compute({ input: swapped, theta: 10 })).toEqual(compute({ input: copy, theta: 10 }));
  });

  test("equal calls have the same problem; positions are no part of it", () => {
    const one = rotary.describe({ input, theta: 10, offset: 3 });
    expect(rotary.describe({ input: filled([2, 3, 5, 8]), theta: 500, offset: 9 })).toBe(one);
    expect(rotary.describe({ input, theta: 10, interleaved: true })).not.toBe(one);
    expect(one).toMatchObject({ operation: "rotary", tableRows: 5, tableDType: "float64" });
  });

  test("copies what it is given", () => {
    const positions = Int32Array.of(1, 2, 3, 4, 5);
    const inputs = { input, positions, theta: 10 };
    const bound = rotary.bind(rotary.describe(inputs), inputs);
    const before = rotary.reference(bound);
    positions.fill(9);
    expect(rotary.reference(bound)).toEqual(before);
  });

  test("binds no angles of another number than the problem says", () => {
    const tables = { cos: filled([9, 4]), sin: filled([9, 4]) };
    const problem = rotary.describe({ input, ...tables, positions: Int32Array.of(1, 2, 3, 4, 5) });
    for (const angles of [{ theta: 10 }, { inverseFrequencies: [1, 2] }]) {
      expect(() => rotary.bind(problem, { input, ...angles })).toThrow(InvalidInputError);
    }
  });

  test("runs under the choice of an attention, in the input's dtype", async () => {
    const attention = await createAttention({ backends: [reference()] });
    for (const dtype of ["float64", "float32", "float16"] as const) {
      const result = await attention.apply(rotary, {
        input: filled([1, 2, 3, 4], dtype),
        theta: 10,
      });
      expect(result.backend).toBe("reference");
      expect(result.output).toMatchObject({ dtype, shape: [1, 2, 3, 4] });
    }
    expect(attention.explain(rotary.describe({ input, theta: 10 })).backend).toBe("reference");
    await attention.dispose();
  });

  const table = zeros("float64", [12, 4]);
  test.each<[string, Partial<RotaryInputs>, string]>([
    ["no source of angles", { theta: undefined }, "theta"],
    ["two sources", { inverseFrequencies: [1, 1, 1, 1] }, "inverseFrequencies"],
    ["cosines alone", { theta: undefined, cos: table }, "sin"],
    [
      "sines of another shape",
      { theta: undefined, cos: table, sin: zeros("float64", [11, 4]) },
      "sin",
    ],
    [
      "sines of another dtype",
      { theta: undefined, cos: table, sin: zeros("float32", [12, 4]) },
      "sin",
    ],
    [
      "tables of int32",
      { theta: undefined, cos: zeros("int32", [12, 4]), sin: zeros("int32", [12, 4]) },
      "cos",
    ],
    [
      "tables too narrow",
      { theta: undefined, cos: zeros("float64", [12, 3]), sin: zeros("float64", [12, 3]) },
      "cos",
    ],
    [
      "a position past the table",
      { theta: undefined, cos: table, sin: table, offset: 8 },
      "offset",
    ],
    [
      "a negative position",
      { theta: undefined, cos: table, sin: table, positions: Int32Array.of(0, 1, -1, 2, 3) },
      "positions",
    ],
    [
      "rows a token and positions",
      {
        theta: undefined,
        cos: zeros("float64", [2, 5, 4]),
        sin: zeros("float64", [2, 5, 4]),
        positions: new Int32Array(5),
      },
      "positions",
    ],
    ["positions and offset", { positions: new Int32Array(5), offset: 1 }, "offset"],
    ["too few positions", { positions: new Int32Array(4) }, "positions"],
    ["positions that are floats", { positions: zeros("float32", [2, 5]) }, "positions"],
    ["positions of another shape", { positions: zeros("int32", [5, 2]) }, "positions"],
    ["a fractional offset", { offset: 0.5 }, "offset"],
    ["an offset too far", { offset: 2 ** 31 - 4 }, "offset"],
    ["theta 0", { theta: 0 }, "theta"],
    ["an infinite theta", { theta: Number.POSITIVE_INFINITY }, "theta"],
    ["an odd rotaryDim", { rotaryDim: 3 }, "rotaryDim"],
    ["a rotaryDim past the head", { rotaryDim: 10 }, "rotaryDim"],
    ["an odd head size", { input: zeros("float32", [1, 1, 1, 7]) }, "input"],
    ["an input of rank 3", { input: zeros("float32", [1, 1, 8]) }, "input"],
    ["an input of int32", { input: zeros("int32", [1, 1, 1, 8]) }, "input"],
    [
      "frequencies of the wrong number",
      { theta: undefined, inverseFrequencies: [1] },
      "inverseFrequencies",
    ],
    [
      "a frequency that is NaN",
      { theta: undefined, inverseFrequencies: [1, 1, 1, Number.NaN] },
      "inverseFrequencies",
    ],
    ["an unknown name", { base: 10 } as Partial<RotaryInputs>, "inputs.base"],
  ])("refuses %s, naming the argument", (_, change, argument) => {
    const inputs = { input, theta: 10, ...change };
    expect(() => rotary.describe(inputs)).toThrow(InvalidInputError);
    expect(() => rotary.describe(inputs)).toThrow(expect.objectContaining({ argument }));
  });
});
