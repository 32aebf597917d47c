/** A decoder of sixteen layers on a GPU: how often a token submits commands and waits for the device. */
import { type WebGpuBackend, webgpu } from "@heed/backend-webgpu";
import { createCache } from "@heed/cache";
import { createAttention, type DeviceTensor, type Tensor, toFloat64 } from "@heed/core";
import { type MultiHeadAttention, multiHeadAttention } from "@heed/layers";
import { expect, test, vi } from "vitest";
import { expectClose, floats, weightsOf } from "./calls.js";

const depth = 16;
const tokens = 4;

test("a token of a decoder on a GPU is one submission, and its logits are all that is read", async (context) => {
  const devices: GPUDevice[] = [];
  const provider = webgpu({ allowFallbackAdapter: true });
  const gpu = {
    name: "webgpu",
    load: async () => {
      const backend: WebGpuBackend = await provider.load();
      devices.push(backend.device);
      return backend;
    },
  };
  const attention = await createAttention({ backends: [gpu], selfTest: false }).catch(() => null);
  if (attention === null) return context.skip("webgpu is not available");
  const { queue } = devices[0] as GPUDevice;
  const weights = Array.from({ length: depth }, () => weightsOf());
  const norm = { weight: floats(8) };
  const layers: MultiHeadAttention[] = [];
  for (const own of weights) {
    const options = { queryHeads: 4, kvHeads: 2, causal: true, rotary: { theta: 100 } };
    const norms = { queryNorm: norm, keyNorm: norm };
    layers.push(await multiHeadAttention(attention, { ...options, ...norms, weights: own }));
  }
  const caches = await Promise.all(
    layers.map(() =>
      createCache(attention, { batch: 1, kvHeads: 2, headDim: 8, capacity: tokens }),
    ),
  );
  const inputs = floats(1, tokens, 24);
  const submit = vi.spyOn(queue, "submit");
  // Calls let the event loop go on every 10 ms, which submits what waits: here, no time passes.
  const clock = vi.spyOn(performance, "now").mockReturnValue(0);
  const submissions: number[] = [];
  const outputs: number[] = [];
  for (let token = 0; token < tokens; token++) {
    const row = inputs.data.slice(token * 24, (token + 1) * 24);
    let hidden: Tensor = await attention.upload({ ...floats(1, 1, 24), data: row });
    submit.mockClear();
    for (const [at, layer] of layers.entries()) {
      const { output }: { output: Tensor } = await layer.run({ query: hidden, cache: caches[at] });
      (hidden as DeviceTensor).dispose();
      hidden = output;
    }
    outputs.push(...toFloat64(await (hidden as DeviceTensor).read()));
    submissions.push(submit.mock.calls.length);
    (hidden as DeviceTensor).dispose();
  }
  // The first tokens make buffers and plans, which are waited for.
  expect(submissions.slice(-2)).toEqual([1, 1]);
  clock.mockRestore();

  let whole: Tensor = inputs;
  for (const layer of layers) whole = (await layer.run({ query: whole })).output;
  expectClose(whole as never, outputs);
  for (const one of [...caches, ...layers]) one.dispose();
  await attention.dispose();
});
