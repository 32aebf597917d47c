import { type Attention, HeedError } from "@heed/core";
import { fromTorch, fromTorchInputs, multiHeadAttention } from "@heed/layers";
import fc from "fast-check";
import { expect, test } from "vitest";
import { attentionOn } from "../../../test/backends.js";
import { argument, objectOf } from "../../core/test/hostile/values.js";
import { floats, weightsOf } from "./calls.js";

/** Any value at all may be given: it works, or it throws (or rejects with) an error of Heed. */
const seed = 20_261_129;
const runs = 150;

async function expectTyped(run: () => unknown): Promise<void> {
  try {
    await run();
  } catch (error) {
    if (!(error instanceof HeedError)) {
      throw new Error(`an untyped error left: ${error instanceof Error ? error.stack : error}`);
    }
    expect(error.message.length).toBeLessThan(2000);
  }
}

test("options, and inputs of a call", async () => {
  const attention = (await attentionOn("js")) as Attention;
  const good = { queryHeads: 4, kvHeads: 2, weights: weightsOf() };
  const layer = await multiHeadAttention(attention, good);
  const query = floats(1, 2, 24);
  const options = objectOf(
    "queryHeads kvHeads headDim weights rotary queryNorm keyNorm causal window softcap scale sinks alibiSlopes extra mistaken".split(
      " ",
    ),
  );
  const inputs = objectOf(
    "query key value cache append keyPadding mask bias maskMod scoreMod blockMask positions returns mistaken".split(
      " ",
    ),
  );
  await fc.assert(
    fc.asyncProperty(options, inputs, argument, async (some, call, any) => {
      await expectTyped(() => multiHeadAttention(attention, { ...good, ...some() } as never));
      await expectTyped(() => layer.run({ query, ...call() } as never));
      await expectTyped(() => layer.run(any() as never));
      await expectTyped(() => multiHeadAttention(any() as never, any() as never));
    }),
    { seed, numRuns: runs },
  );
});

test("states and calls of PyTorch", async () => {
  const state = {
    in_proj_weight: floats(24, 8),
    "out_proj.weight": floats(8, 8),
  };
  const entries = objectOf(
    "in_proj_weight q_proj_weight in_proj_bias out_proj.bias bias_k bias_v".split(" "),
  );
  const calls = objectOf(
    "query key value key_padding_mask attn_mask need_weights average_attn_weights".split(" "),
  );
  await fc.assert(
    fc.asyncProperty(entries, calls, argument, async (some, call, any) => {
      await expectTyped(() => fromTorch({ ...state, ...some() } as never, { heads: 2 }));
      await expectTyped(() => fromTorch(any() as never, any() as never));
      await expectTyped(() =>
        fromTorchInputs({ query: floats(1, 2, 8), ...call() } as never, { heads: 2 }),
      );
      await expectTyped(() => fromTorchInputs(any() as never, any() as never));
    }),
    { seed, numRuns: runs },
  );
});
