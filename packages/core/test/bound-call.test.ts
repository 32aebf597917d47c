import {
  type AttentionInputs,
  attention,
  bindHeadValues,
  bindInputs,
  bindPositions,
  describeProblem,
  deviceTensor,
  type HostTensor,
  InvalidInputError,
  tensor,
  zeros,
} from "@heed/core";
import { describe, expect, test } from "vitest";
import { lengthClassKey } from "../src/attention/problem.js";

const shapes = { query: [2, 4, 3, 5], key: [2, 2, 7, 5], value: [2, 2, 7, 6] } as const;

function call(more: Partial<AttentionInputs<HostTensor>> = {}): AttentionInputs<HostTensor> {
  return {
    query: zeros("float32", shapes.query),
    key: zeros("float32", shapes.key),
    value: zeros("float32", shapes.value),
    ...more,
  };
}

/** A call's members that are given, with tensors and numbers as they are. */
const given = (inputs: object): object =>
  Object.fromEntries(Object.entries(inputs).filter(([, value]) => value !== undefined));

describe("a bound call in the caller's terms", () => {
  const mask = tensor([true, false, true, true, true, true, true], [1, 1, 1, 7]);
  const bias = zeros("float32", [4, 3, 7]);
  test.each<[string, Partial<AttentionInputs<HostTensor>>, Partial<AttentionInputs<HostTensor>>?]>([
    ["nothing", {}],
    ["a mask", { mask }],
    ["a bias", { bias }],
    ["both", { mask, bias }],
    ["causal", { causal: true, queryOffset: 0 }],
    ["an offset", { causal: true, queryOffset: 4 }],
    ["bottom-right", { causal: true, queryOffset: "bottom-right" }],
    [
      "offsets of batches",
      { causal: true, queryOffset: [1, 2] },
      { queryOffset: Int32Array.of(1, 2) },
    ],
    ["a window to the left", { window: { left: 2 }, queryOffset: 4 }],
    ["a window to the right", { window: { right: 1 }, queryOffset: 4 }],
    ["a window of 0", { window: { left: 0, right: 0 }, queryOffset: 4 }],
    ["lengths", { kvLengths: [3, 0] }, { kvLengths: Int32Array.of(3, 0) }],
    [
      "slopes",
      { alibiSlopes: [1, 2, 3, 4], queryOffset: 0 },
      { alibiSlopes: Float64Array.of(1, 2, 3, 4) },
    ],
    ["sinks", { sinks: [1, 2, 3, 4] }, { sinks: Float64Array.of(1, 2, 3, 4) }],
    ["a scale", { scale: -2 }],
    ["a softcap", { softcap: 30 }],
    ["log-sum-exp", { returns: { logSumExp: true } }],
    ["weights", { returns: { weights: true } }],
    ["scores", { returns: { scores: "capped" } }],
  ])("with %s is the same call", (_, more, told = more) => {
    const inputs = call(more);
    const problem = describeProblem(inputs);
    const bound = attention.bind(problem, inputs);
    expect(describeProblem(bound.inputs)).toBe(problem);
    expect(given(bound.inputs)).toMatchObject({
      ...given(inputs),
      ...told,
      returns: { logSumExp: false, weights: false, ...more.returns },
      scale: more.scale ?? 1 / Math.sqrt(5),
    });
    expect(bound.reads).toEqual(
      [inputs.query, inputs.key, inputs.value, more.mask, more.bias].filter(Boolean),
    );
  });
});

describe("a call that is not the problem's", () => {
  const causal = call({ causal: true, queryOffset: [0, 1] });
  const both = call({ mask: zeros("bool", [7]), bias: zeros("float32", [7]) });
  test.each<[argument: string, of: AttentionInputs<HostTensor>, given: object]>([
    ["query", call(), call({ query: zeros("float32", [2, 4, 2, 5]) })],
    ["mask", both, call({ bias: both.bias })],
    ["bias", both, call({ mask: both.mask })],
    ["mask", call(), both],
    ["mask", both, { ...both, mask: zeros("bool", [3, 7]) }],
    ["kvLengths", call({ kvLengths: [1, 2] }), call({ kvLengths: [1, 8] })],
    ["kvLengths", call({ kvLengths: [1, 2] }), call({ kvLengths: [-1, 7] })],
    ["kvLengths", call({ kvLengths: [1, 2] }), { ...call(), kvLengths: ["1", 2] }],
    ["queryOffset", causal, { ...causal, queryOffset: [0, "1"] }],
    ["alibiSlopes", call({ sinks: [1, 2, 3, 4] }), call({ alibiSlopes: [1, 2, 3] })],
    ["sinks", call({ sinks: [1, 2, 3, 4] }), call({ sinks: [1, 2, 3, 4, 5] })],
    ["sinks", call({ sinks: [1, 2, 3, 4] }), { ...call(), sinks: [1, 2, 3, "4"] }],
  ])("is refused with the name %s", (argument, of, other) => {
    const problem = describeProblem(of);
    const bind = () => bindInputs(problem, other as AttentionInputs);
    expect(bind).toThrow(InvalidInputError);
    expect(bind).toThrow(expect.objectContaining({ argument }));
  });

  test("nor is one of another operation, or on a device where host tensors are wanted", () => {
    const problem = describeProblem(call());
    expect(() => bindPositions({ ...problem, operation: "merge" } as never, call())).toThrow(
      expect.objectContaining({ argument: "problem" }),
    );
    const storage = { backend: "gpu", disposed: false, read: async () => zeros("bool", [7]) };
    for (const name of ["mask", "bias"] as const) {
      const dtype = name === "mask" ? "bool" : "float32";
      const held = deviceTensor(
        { ...storage, release: () => {} } as never,
        {
          dtype,
          shape: [7],
        } as never,
      );
      const inputs = { ...call(), [name]: held };
      expect(() => bindInputs(describeProblem(inputs), inputs)).toThrow(
        expect.objectContaining({ argument: name }),
      );
    }
  });
});

test("values of heads are bound without a problem, too", () => {
  expect(bindHeadValues(call())).toEqual({ alibiSlopes: null, sinks: null });
  expect(bindHeadValues(call({ sinks: tensor(Float32Array.of(0.5, 2), [2]) }))).toEqual({
    alibiSlopes: null,
    sinks: Float64Array.of(0.5, 2),
  });
  expect(bindHeadValues(call({ alibiSlopes: [3] })).alibiSlopes).toEqual(Float64Array.of(3));
});

describe("a class of problems", () => {
  const classOf = (queries: number, keys: number, more: object = {}) =>
    lengthClassKey(
      describeProblem({
        query: zeros("float32", [1, 1, queries, 2]),
        key: zeros("float32", [1, 1, keys, 2]),
        value: zeros("float32", [1, 1, keys, 2]),
        ...more,
      }),
    );
  const biased = (queries: number, keys: number) =>
    classOf(queries, keys, { bias: zeros("float32", [queries, keys]) });

  test("has lengths between the same powers of two", () => {
    expect(classOf(1, 33)).toBe(classOf(1, 64));
    expect(classOf(1, 32)).not.toBe(classOf(1, 33));
    expect(classOf(5, 9)).toBe(classOf(8, 16));
    expect(classOf(1, 4)).not.toBe(classOf(2, 4));
    expect(classOf(1, 0)).not.toBe(classOf(1, 1));
  });

  test("has biases and rules alike", () => {
    expect(biased(5, 9)).toBe(biased(7, 15));
    expect(biased(5, 9)).not.toBe(classOf(5, 9));
    expect(biased(5, 9)).not.toBe(classOf(5, 9, { bias: zeros("float32", [9]) }));
    expect(classOf(5, 9, { softcap: 2 })).not.toBe(classOf(5, 9));
    const window = (right: number) => classOf(5, 9, { window: { right }, queryOffset: 0 });
    expect(window(1)).not.toBe(window(2));
  });
});
