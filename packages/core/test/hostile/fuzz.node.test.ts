import * as core from "@heed/core";
import { HeedError, reference, tensor } from "@heed/core";
import * as masks from "@heed/core/masks";
import {
  onnxAttention,
  onnxFlexAttention,
  onnxGroupQueryAttention,
  onnxMultiHeadAttention,
} from "@heed/core/onnx";
import * as program from "@heed/core/program";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { argument, objectOf } from "./values.js";

/**
 * Any value at all may be given to any exported function: it works, or it throws (or rejects with) an
 * error of Heed. Classes are left out: errors and bound calls are made by code that knows what it does.
 */

const seed = 20_261_128;
const runs = 400;

/** The error of a call, if it threw or rejected. */
async function errorOf(run: () => unknown): Promise<unknown> {
  try {
    await run();
    return null;
  } catch (error) {
    return error;
  }
}

async function expectTyped(run: () => unknown): Promise<void> {
  const error = await errorOf(run);
  if (error === null) return;
  if (!(error instanceof HeedError)) {
    throw new Error(
      `an untyped error left: ${error instanceof Error ? error.stack : String(error)}`,
    );
  }
  expect(error.message.length).toBeLessThan(2000);
}

const isClass = (value: unknown): boolean => /^class\b/.test(String(value));

const functions = Object.entries({ ...program, ...masks, ...core }).filter(
  (entry): entry is [string, (...args: unknown[]) => unknown] =>
    typeof entry[1] === "function" && !isClass(entry[1]),
);

describe("exported functions", () => {
  test.each(functions)("%s", async (name, run) => {
    await fc.assert(
      fc.asyncProperty(fc.array(argument, { maxLength: 4 }), async (args) => {
        await expectTyped(() => run(...args.map((make) => make())));
      }),
      { seed, numRuns: name in core ? runs : runs / 8 },
    );
  });
});

const shape = [1, 1, 2, 2];
const t = () => tensor([1, 2, 3, 4], shape);
const calls = fc.record({
  changes: objectOf([
    ..."query key value mask bias causal window queryOffset kvLengths".split(" "),
    ..."alibiSlopes sinks scale softcap returns mistaken".split(" "),
  ]),
  proxied: fc.boolean(),
});

/** Reads of a getter that answers something else each time. */
function changing(call: object): object {
  let reads = 0;
  return new Proxy(call, {
    get: (target, name) => {
      reads += 1;
      return reads % 5 === 0 ? null : Reflect.get(target, name);
    },
  });
}

describe("calls with members of any value", () => {
  test("referenceAttention, describeProblem, run and explain", async () => {
    const attention = await core.createAttention({ backends: [reference()] });
    await fc.assert(
      fc.asyncProperty(calls, async ({ changes, proxied }) => {
        const plain = { query: t(), key: t(), value: t(), ...changes() };
        const call = (proxied ? changing(plain) : plain) as core.AttentionInputs<core.HostTensor>;
        await expectTyped(() => core.describeProblem(call));
        await expectTyped(() => core.referenceAttention(call));
        await expectTyped(() => attention.run(call));
        await expectTyped(() => attention.explain(call));
      }),
      { seed, numRuns: runs },
    );
    await fc.assert(
      fc.asyncProperty(argument, argument, async (makeX, makeY) => {
        const [x, y] = [makeX(), makeY()];
        await expectTyped(() => attention.run(x as never));
        await expectTyped(() => attention.explain(x as never));
        await expectTyped(() => attention.upload(x as never, y as never));
        await expectTyped(() => attention.allocate(x as never, y as never));
        await expectTyped(() => attention.apply(x as never, y as never));
      }),
      { seed, numRuns: runs },
    );
    await attention.dispose();
  });

  test("onnxAttention", async () => {
    const attention = await core.createAttention({ backends: [reference()] });
    const inputs = objectOf("Q K V attn_mask past_key past_value nonpad_kv_seqlen Qs".split(" "));
    const attributes = objectOf(
      "is_causal q_num_heads scale softcap qk_matmul_output_mode".split(" "),
    );
    await fc.assert(
      fc.asyncProperty(inputs, attributes, objectOf(["outputs"]), async (some, given, options) => {
        const call = { Q: t(), K: t(), V: t(), ...some() };
        await expectTyped(() =>
          onnxAttention(attention, call, given() as never, options() as never),
        );
        await expectTyped(() => onnxAttention(attention, some() as never));
      }),
      { seed, numRuns: runs },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(argument, { maxLength: 4 }), async (args) => {
        await expectTyped(() =>
          (onnxAttention as (...args: unknown[]) => unknown)(...args.map((make) => make())),
        );
      }),
      { seed, numRuns: runs },
    );
    await attention.dispose();
  });

  const contrib = {
    onnxGroupQueryAttention: {
      run: onnxGroupQueryAttention as (...args: unknown[]) => Promise<unknown>,
      call: () => ({
        query: tensor(new Float32Array(8), [1, 2, 4]),
        key: tensor(new Float32Array(4), [1, 2, 2]),
        value: tensor(new Float32Array(4), [1, 2, 2]),
        past_key: tensor(new Float32Array(6), [1, 1, 3, 2]),
        past_value: tensor(new Float32Array(6), [1, 1, 3, 2]),
        seqlens_k: [4],
        total_sequence_length: 5,
      }),
      attributes: { num_heads: 2, kv_num_heads: 1 },
      inputs:
        "query key value past_key past_value seqlens_k total_sequence_length cos_cache sin_cache position_ids attention_bias head_sink k_scale q_norm_weight k_norm_weight querys",
      names:
        "num_heads kv_num_heads causal do_rotary scale softcap local_window_size smooth_softmax qk_output sliding_window_cache k_quant_type mistaken",
      options: ["outputs", "sharedBuffer"],
    },
    onnxMultiHeadAttention: {
      run: onnxMultiHeadAttention as (...args: unknown[]) => Promise<unknown>,
      call: () => ({
        query: tensor(new Float32Array(8), [1, 2, 4]),
        key: tensor(new Float32Array(8), [1, 2, 4]),
        value: tensor(new Float32Array(8), [1, 2, 4]),
      }),
      attributes: { num_heads: 2 },
      inputs:
        "query key value bias key_padding_mask attention_bias past_key past_value past_sequence_length cache_indirection querys",
      names: "num_heads mask_filter_value scale unidirectional mistaken",
      options: ["outputs"],
    },
    onnxFlexAttention: {
      run: onnxFlexAttention as (...args: unknown[]) => Promise<unknown>,
      call: () => ({
        Q: tensor(new Float32Array(8), [1, 2, 2, 2]),
        K: tensor(new Float32Array(4), [1, 1, 2, 2]),
        V: tensor(new Float32Array(4), [1, 1, 2, 2]),
      }),
      attributes: { scale: 1 },
      inputs: "Q K V W",
      names: "scale softmax_precision score_mod mask_mod prob_mod mistaken",
      options: [],
    },
  };

  test("graphs of onnxFlexAttention", async () => {
    const attention = await core.createAttention({ backends: [reference()] });
    const call = contrib.onnxFlexAttention.call();
    const graph = objectOf(["inputs", "outputs", "initializers", "nodes"]);
    const node = objectOf(["op_type", "domain", "inputs", "outputs", "attributes"]);
    const constant = objectOf(["name", "data_type", "dims", "values"]);
    const operators = fc.constantFrom(
      ..."Add Where Gather Reshape Slice Range Cast Constant Trilu Pow".split(" "),
    );
    const right = {
      inputs: [{ name: "s" }],
      outputs: [{ name: "y" }],
      initializers: [],
      nodes: [],
    };
    await fc.assert(
      fc.asyncProperty(graph, node, constant, operators, async (some, more, value, op_type) => {
        const nodes = [{ op_type, inputs: ["s", "c"], outputs: ["y"], ...more() }];
        const initializers = [{ name: "c", data_type: 1, values: [1], ...value() }];
        for (const score_mod of [
          some(),
          { ...right, ...some() },
          { ...right, nodes },
          { ...right, initializers, nodes },
        ]) {
          await expectTyped(() => onnxFlexAttention(attention, call, { score_mod } as never));
        }
      }),
      { seed, numRuns: runs },
    );
    await attention.dispose();
  });

  test.each(Object.entries(contrib))("%s", async (_, { run, call, attributes, ...names }) => {
    const attention = await core.createAttention({ backends: [reference()] });
    expect(await run(attention, call(), attributes)).toBeDefined();
    const inputs = objectOf(names.inputs.split(" "));
    const given = objectOf(names.names.split(" "));
    await fc.assert(
      fc.asyncProperty(inputs, given, objectOf(names.options), async (some, more, options) => {
        await expectTyped(() => run(attention, { ...call(), ...some() }, attributes));
        await expectTyped(() => run(attention, call(), { ...attributes, ...more() }, options()));
        await expectTyped(() => run(attention, some(), more(), options()));
      }),
      { seed, numRuns: runs },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(argument, { maxLength: 4 }), async (args) => {
        await expectTyped(() => run(...args.map((make) => make())));
      }),
      { seed, numRuns: runs },
    );
    await attention.dispose();
  });

  test("mergePartials and createAttention", async () => {
    const part = objectOf(["output", "logSumExp"]);
    const options = objectOf("backends select fallback selfTest planCacheSize slect".split(" "));
    await fc.assert(
      fc.asyncProperty(fc.array(part, { maxLength: 3 }), options, async (parts, given) => {
        await expectTyped(() => core.mergePartials(parts.map((make) => make()) as never));
        await expectTyped(() => core.createAttention({ backends: [reference()], ...given() }));
      }),
      { seed, numRuns: 100 },
    );
  });
});
