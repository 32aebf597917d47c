/**
 * Keys in float16 and int8, in pages, ragged batches and positions that are data, by every kernel. The
 * suite's cases test what the kernels chosen here make of them; these calls force the others.
 */
import {
  type AttentionInputs,
  type AttentionOutputs,
  describeProblem,
  type HostTensor,
  referenceAttention,
  toFloat64,
} from "@heed/core";
import { describe, expect, test } from "vitest";
import type { Preferences } from "../src/attention/choose.js";
import type { WebGpuBackend } from "../src/backend.js";
import { available } from "./available.js";
import { onShared, sharedDevice } from "./devices.js";
import { type StoredShape, storedCall } from "./stored-calls.js";
import { allVariations } from "./variation.js";

const decode = [
  [1, 70],
  [1, 5],
  [1, 0],
] as const;
const prefill = [
  [70, 70],
  [70, 40],
] as const;
const mixed = [
  [1, 66],
  [70, 130],
  [0, 3],
  [5, 0],
  [3, 64],
] as const;
const banded = { causal: true, window: { left: 30 }, queryOffset: "bottom-right" } as const;
const positional = {
  causal: true,
  window: { left: 30, right: 3 },
  alibiSlopes: [0.5, 0.25, 0.1, 0],
} as const;

const shapes = {
  half: { stored: "float16", sequences: prefill, rules: banded },
  "half, odd sizes": {
    stored: "float16",
    sequences: prefill,
    sizes: [15, 13],
    rules: banded,
    mask: true,
    bias: true,
  },
  byte: { stored: "int8", sequences: prefill, rules: banded },
  "byte, odd sizes": {
    stored: "int8",
    sequences: decode,
    sizes: [15, 13],
    mask: true,
    rules: banded,
  },
  pages: { stored: "float32", pageSize: 8, sequences: decode, rules: banded },
  "pages of 5": { stored: "float32", pageSize: 5, sequences: prefill, rules: banded, mask: true },
  "byte in pages": {
    stored: "int8",
    pageSize: 16,
    sequences: prefill,
    rules: banded,
    bias: true,
  },
  "half in pages of 1": { stored: "float16", pageSize: 1, sequences: decode },
  ragged: { stored: "float32", ragged: true, sequences: mixed, rules: banded },
  "ragged byte": { stored: "int8", ragged: true, sequences: mixed, rules: banded, mask: true },
  "ragged half in pages": {
    stored: "float16",
    ragged: true,
    pageSize: 16,
    sequences: mixed,
    rules: banded,
    bias: true,
  },
  positions: { stored: "float32", positions: "both", sequences: prefill, rules: positional },
  "positions of keys": {
    stored: "float32",
    positions: "keys",
    sequences: decode,
    rules: positional,
  },
  "positions of ragged queries": {
    stored: "int8",
    ragged: true,
    positions: "queries",
    sequences: mixed,
    rules: positional,
  },
  "positions in pages": {
    stored: "float16",
    pageSize: 16,
    positions: "both",
    sequences: prefill,
    rules: positional,
  },
  "weights and scores in pages": {
    stored: "float32",
    pageSize: 5,
    sequences: prefill,
    rules: banded,
    bias: true,
    returns: { logSumExp: true, weights: true, scores: "biased" },
  },
  "weights and scores of bytes": {
    stored: "int8",
    positions: "both",
    sequences: prefill,
    rules: positional,
    returns: { weights: true, scores: "raw" },
  },
  "float16 queries, bytes in pages": {
    dtype: "float16",
    stored: "int8",
    pageSize: 16,
    sequences: decode,
    rules: banded,
  },
  "float16 throughout, in pages": {
    dtype: "float16",
    stored: "float16",
    pageSize: 16,
    sequences: decode,
    rules: banded,
  },
} satisfies Record<string, StoredShape>;
type ShapeName = keyof typeof shapes;

interface Device {
  /** Whether to decide as on a GPU, where no kernel is forced. */
  readonly gpu?: boolean;
  /** Whether to decide as for a device that binds no more buffers than every device has. */
  readonly fewBuffers?: boolean;
}

/** Calls that every run of the tests makes: each kernel, each way to read, each list. */
const usual: readonly (readonly [Preferences & Device, readonly ShapeName[]])[] = [
  [{ kernel: "row" }, ["positions of ragged queries"]],
  [{ kernel: "row", fewBuffers: true }, ["ragged byte"]],
  // Tiles for the long sequences, the decode kernel for the short ones.
  [{ gpu: true }, ["ragged half in pages"]],
  [{ kernel: "decode" }, ["float16 queries, bytes in pages"]],
  [{ kernel: "quad" }, ["positions in pages"]],
  [{ kernel: "stream" }, ["byte", "positions of keys"]],
  [{ batchInvariant: true }, ["positions in pages"]],
];

const everything: typeof usual = [...usual, [{ kernel: "tile" }, []]];
const all = Object.keys(shapes) as ShapeName[];

describe.skipIf(!available).each(allVariations ? everything : usual)(
  "%o",
  ({ gpu, fewBuffers, ...preferences }, few) => {
    const { kernel } = preferences;
    // Kernels of GPUs decide as on one.
    const software = gpu !== true && kernel !== "tile" && kernel !== "decode";
    let loading: Promise<WebGpuBackend> | null = null;
    const load = (): Promise<WebGpuBackend> => {
      loading ??= sharedDevice().then(({ capabilities }) => {
        const limits = fewBuffers
          ? { ...capabilities.limits, maxStorageBuffersPerShaderStage: 8 }
          : capabilities.limits;
        return onShared(preferences, { software, limits }).load() as Promise<WebGpuBackend>;
      });
      return loading;
    };

    test.each(allVariations ? all : few)("%s", async (name) => {
      const backend = await load();
      const call: AttentionInputs<HostTensor> = storedCall(shapes[name]);
      const plan = await backend.plan(describeProblem(call));
      if (kernel) expect(plan.description.kernel).toMatch(new RegExp(`^attention-${kernel}-`));
      const outputs = (await plan.run(call)) as AttentionOutputs<HostTensor>;
      const expected = referenceAttention(call) as AttentionOutputs<HostTensor>;
      const most = call.query.dtype === "float16" ? 1e-3 : 5e-6;
      for (const [output, wanted] of Object.entries(expected)) {
        const given = outputs[output as keyof typeof outputs] as HostTensor;
        expect(worstOf(given, wanted), output).toBeLessThan(most);
      }
      plan.dispose();
    });
  },
);

/** The largest difference, of large numbers in relation to them; NaN if one of the numbers is. */
function worstOf(given: HostTensor, wanted: HostTensor): number {
  const [numbers, exact] = [toFloat64(given), toFloat64(wanted)];
  return exact.reduce((worst, x, i) => {
    const number = numbers[i] as number;
    return x === number ? worst : Math.max(worst, Math.abs(number - x) / Math.max(1, Math.abs(x)));
  }, 0);
}
