import { type Attention, cast, type HostTensor, tensor, toFloat64 } from "@heed/core";
import {
  llama3Frequencies,
  type MultiHeadAttentionOptions,
  multiHeadAttention,
} from "@heed/layers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { attentionOn, providers } from "../../../test/backends.js";
import { bools, expectClose, floats, type LayerSizes, weightsOf } from "./calls.js";
import { naiveLayer } from "./naive.js";

interface LayerCase {
  readonly sizes?: LayerSizes;
  readonly options?: Partial<MultiHeadAttentionOptions>;
  readonly inputs?: () => {
    readonly query?: HostTensor;
    readonly key?: HostTensor;
    readonly value?: HostTensor;
    readonly keyPadding?: HostTensor;
    readonly mask?: HostTensor;
    readonly bias?: HostTensor;
    readonly positions?: readonly number[];
  };
}

const cases: Readonly<Record<string, LayerCase>> = {
  "grouped heads": {},
  "heads of their own": { sizes: { kvHeads: 4 } },
  "no biases": { sizes: { biases: false } },
  "values of another size": { sizes: { valueDim: 5 } },
  causal: { options: { causal: true } },
  "a window, softcap, scale and sinks": {
    options: { causal: true, window: { left: 2 }, softcap: 3, scale: 0.4, sinks: [0, 1, -1, 2] },
  },
  "rotary embedding": { options: { rotary: { theta: 100 }, causal: true } },
  "rotary embedding of neighbours and a part": {
    options: { rotary: { theta: 100, interleaved: true, rotaryDim: 4 } },
  },
  "Llama 3's frequencies": {
    options: {
      rotary: { inverseFrequencies: llama3Frequencies({ rotaryDim: 8, factor: 8, theta: 5e5 }) },
    },
  },
  "norms of queries and keys, then rotary embedding": {
    options: {
      queryNorm: { weight: floats(8), epsilon: 1e-3 },
      keyNorm: { weight: floats(8) },
      rotary: { theta: 100 },
    },
  },
  "positions of its own": {
    options: { rotary: { theta: 100 } },
    inputs: () => ({ positions: [3, 1, 0, 7, 9, 4] }),
  },
  "cross-attention": { inputs: () => ({ key: floats(2, 9, 24) }) },
  "cross-attention with values of their own": {
    sizes: { keySize: 10, valueSize: 14 },
    inputs: () => ({ key: floats(2, 9, 10), value: floats(2, 9, 14) }),
  },
  "padding at the end": {
    options: { causal: true },
    inputs: () => ({ keyPadding: bools([1, 1, 1, 1, 0, 0, 1, 1, 1, 1, 1, 1], 2, 6) }),
  },
  "padding anywhere, and a mask": {
    inputs: () => ({
      keyPadding: bools([0, 1, 1, 0, 1, 1, 1, 1, 1, 0, 1, 1], 2, 6),
      mask: bools(
        [1, 0, 1, 1, 1, 1, 0, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0],
        4,
        1,
        6,
      ),
    }),
  },
  "an entry of padding alone": {
    inputs: () => ({ keyPadding: bools([0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1], 2, 6) }),
  },
  "a bias": { inputs: () => ({ bias: floats(4, 6, 6) }) },
};

/** Backends that compile something for each case run the ones that differ for them. */
const few = [
  "grouped heads",
  "rotary embedding",
  "norms of queries and keys, then rotary embedding",
  "cross-attention",
  "padding at the end",
];
const casesOf = (backend: string) =>
  Object.entries(cases).filter(
    ([name]) =>
      backend === "js" ||
      backend === "wasm" ||
      few.includes(name) ||
      import.meta.env.HEED_TEST_SCOPE === "all",
  );

describe.each(Object.keys(providers))("layers on %s", (backend) => {
  let attention: Attention | null;
  beforeAll(async () => {
    attention = await attentionOn(backend);
  });
  afterAll(() => attention?.dispose());

  test.for(casesOf(backend))("%s", async ([, { sizes, options, inputs }], context) => {
    if (attention === null) return context.skip(`${backend} is not available`);
    const given = {
      queryHeads: 4,
      kvHeads: sizes?.kvHeads ?? 2,
      weights: weightsOf(sizes),
      ...options,
    };
    const call = { query: floats(2, 6, 24), ...inputs?.() };
    const layer = await multiHeadAttention(attention, given);
    const {
      output,
      weights,
      backend: ran,
    } = await layer.run({ ...call, returns: { weights: true } });
    const wanted = naiveLayer(given, call);
    expectClose(output, wanted.output);
    expectClose(weights, wanted.weights);
    expect(output.shape).toEqual([2, 6, 24]);
    expect(ran).toBe(backend);
    if (layer.backend !== null) {
      const query = await attention.upload(call.query);
      const there = await layer.run({ ...call, query });
      expectClose(await there.output.read(), wanted.output);
      query.dispose();
      there.output.dispose();
    }
    layer.dispose();
  });

  test("extra keys", async (context) => {
    if (attention === null) return context.skip(`${backend} is not available`);
    const extra = { key: floats(2, 16), value: floats(2, 16) };
    const given = { queryHeads: 4, kvHeads: 2, weights: weightsOf(), extra, causal: true };
    const layer = await multiHeadAttention(attention, given);
    const query = floats(2, 6, 24);
    expectClose((await layer.run({ query })).output, naiveLayer(given, { query }).output);
    layer.dispose();
  });
});

test("empty batches and empty sequences have empty results", async () => {
  const attention = (await attentionOn("js")) as Attention;
  const options = { queryHeads: 4, kvHeads: 2, weights: weightsOf(), rotary: { theta: 10 } };
  const layer = await multiHeadAttention(attention, options);
  for (const shape of [
    [0, 3, 24],
    [2, 0, 24],
  ]) {
    const { output } = await layer.run({ query: floats(...shape) });
    expect(output.shape).toEqual(shape);
  }
  const nothing = await layer.run({ query: floats(1, 2, 24), key: floats(1, 0, 24) });
  const bias = toFloat64(options.weights.output.bias as HostTensor);
  expectClose(nothing.output, [...bias, ...bias]);
});

test("a dtype that a device lacks runs where it can, on host tensors", async () => {
  const { js } = await import("@heed/backend-js");
  const { wasm } = await import("@heed/backend-wasm");
  const { createAttention } = await import("@heed/core");
  const attention = await createAttention({ backends: [wasm(), js()], fallback: "silent" });
  const weights = weightsOf();
  const wide = Object.fromEntries(
    Object.entries(weights).map(([name, { weight, bias }]) => [
      name,
      { weight: cast(weight as HostTensor, "float64"), bias: cast(bias as HostTensor, "float64") },
    ]),
  ) as unknown as typeof weights;
  const options = { queryHeads: 4, kvHeads: 2, weights: wide };
  const layer = await multiHeadAttention(attention, options);
  expect(layer.backend).toBeNull();
  const query = cast(floats(1, 3, 24), "float64");
  const { output, backend } = await layer.run({ query });
  expect(backend).toBe("js");
  expectClose(output, naiveLayer(options, { query }).output);
  const narrow = await multiHeadAttention(attention, { queryHeads: 4, kvHeads: 2, weights });
  expect(narrow.backend).toBe("wasm");
  await attention.dispose();
});

describe("wrong calls", () => {
  let attention: Attention;
  beforeAll(async () => {
    attention = (await attentionOn("js")) as Attention;
  });
  const good = (): MultiHeadAttentionOptions => ({
    queryHeads: 4,
    kvHeads: 2,
    weights: weightsOf(),
  });
  const { query, key, value, output } = weightsOf();

  test.each<[string, object]>([
    ["queryHeads", { queryHeads: 0 }],
    ["kvHeads", { kvHeads: 3 }],
    ["headDim", { headDim: 1.5 }],
    ["weights", { weights: undefined }],
    ["weights.query", { weights: { key, value, output } }],
    [
      "weights.query.weight",
      { weights: { query: { weight: floats(30, 24) }, key, value, output } },
    ],
    ["weights.key.weight", { weights: { query, key: { weight: floats(8, 24) }, value, output } }],
    ["weights.key.bias", { weights: { query, key: { ...key, bias: floats(3) }, value, output } }],
    ["weights.value.weight", { weights: { query, key, value: { weight: floats(7, 24) }, output } }],
    [
      "weights.output.weight",
      { weights: { query, key, value, output: { weight: floats(24, 8) } } },
    ],
    [
      "weights.value.weight",
      {
        weights: {
          query,
          key,
          value: { weight: cast(value.weight as HostTensor, "float16") },
          output,
        },
      },
    ],
    ["weights.query.weights", { weights: { query: { ...query, weights: 1 }, key, value, output } }],
    ["theta", { rotary: { theta: -1 } }],
    ["rotary.base", { rotary: { base: 1 } }],
    ["rotaryDim", { rotary: { theta: 10, rotaryDim: 16 } }],
    ["queryNorm.weight", { queryNorm: { weight: floats(4) } }],
    ["queryNorm", { queryNorm: floats(4) }],
    ["keyNorm.epsilon", { keyNorm: { weight: floats(8), epsilon: -1 } }],
    ["causal", { causal: 1 }],
    ["window.left", { window: { left: -1 } }],
    ["softcap", { softcap: -2 }],
    ["sinks", { sinks: [1, 2] }],
    ["extra.value", { extra: { key: floats(1, 16), value: floats(2, 16) } }],
    ["options.dropout", { dropout: 0.1 }],
  ])("the option %s", async (argument, changes) => {
    const run = multiHeadAttention(attention, { ...good(), ...changes } as never);
    await expect(run).rejects.toMatchObject({ code: "invalid-input", argument });
  });

  test.each<[string, object]>([
    ["query", { query: floats(2, 3, 16) }],
    ["query", { query: cast(floats(2, 3, 24), "float64") }],
    ["query", { query: undefined }],
    ["key", { key: floats(1, 3, 24) }],
    ["value", { key: floats(2, 5, 24), value: floats(2, 4, 24) }],
    ["keyPadding", { keyPadding: bools([1, 1, 1], 3) }],
    ["keyPadding", { keyPadding: floats(2, 3) }],
    ["mask", { mask: floats(3, 3) }],
    ["mask", { mask: bools([1, 1], 1, 2) }],
    ["bias", { bias: floats(3, 2) }],
    ["positions", { positions: [1, 2] }],
    ["positions", { positions: [1, 2, 0.5] }],
    ["returns.weights", { returns: { weights: "mean" } }],
    ["inputs.querys", { querys: 1 }],
    ["cache", { cache: {} }],
  ])("the input %s", async (argument, changes) => {
    const layer = await multiHeadAttention(attention, { ...good(), rotary: { theta: 10 } });
    const run = layer.run({ query: floats(2, 3, 24), ...changes } as never);
    await expect(run).rejects.toMatchObject({ code: "invalid-input", argument });
  });

  test("a disposed layer, and a disposed attention", async () => {
    const layer = await multiHeadAttention(attention, good());
    layer.dispose();
    layer.dispose();
    await expect(layer.run({ query: floats(1, 1, 24) })).rejects.toMatchObject({
      code: "disposed",
    });
    await expect(multiHeadAttention({} as never, good())).rejects.toMatchObject({
      argument: "attention",
    });
  });

  test("positions are read at the call", async () => {
    const layer = await multiHeadAttention(attention, { ...good(), rotary: { theta: 10 } });
    const query = floats(1, 3, 24);
    const positions = Int32Array.of(4, 5, 6);
    const wanted = await layer.run({ query, positions: tensor(positions.slice(), [3]) });
    const running = layer.run({ query, positions });
    positions.fill(0);
    expect((await running).output.data).toEqual(wanted.output.data);
  });
});
