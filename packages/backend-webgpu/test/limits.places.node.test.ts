import {
  type AttentionInputs,
  type AttentionOutputs,
  contiguous,
  describeProblem,
  type HostTensor,
  transpose,
} from "@heed/core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { KernelName } from "../src/attention/kernel-names.js";
import { WebGpuBackend } from "../src/backend.js";
import { type OpenDevice, openDevice } from "../src/device.js";
import { available } from "./available.js";
import { makeCall } from "./calls.js";
import { expectPass } from "./passes.js";

describe.skipIf(!available)("limits", () => {
  let open: OpenDevice;
  /** The largest binding, and the largest grid, since a test started. */
  let largest = 0;
  let grids: number[][] = [];

  beforeAll(async () => {
    open = await openDevice({ allowFallbackAdapter: true });
    const { device } = open;
    const createBindGroup = device.createBindGroup.bind(device);
    device.createBindGroup = (descriptor) => {
      for (const { resource } of descriptor.entries) {
        const { size = 0 } = resource as GPUBufferBinding;
        largest = Math.max(largest, size);
      }
      return createBindGroup(descriptor);
    };
    const createCommandEncoder = device.createCommandEncoder.bind(device);
    device.createCommandEncoder = (descriptor) => {
      const encoder = createCommandEncoder(descriptor);
      const begin = encoder.beginComputePass.bind(encoder);
      encoder.beginComputePass = (options) => {
        const pass = begin(options);
        const dispatch = pass.dispatchWorkgroups.bind(pass);
        pass.dispatchWorkgroups = (x, y = 1, z = 1) => {
          grids.push([x, y, z]);
          return dispatch(x, y, z);
        };
        return pass;
      };
      return encoder;
    };
  });
  afterAll(() => open.device.destroy());

  async function run(
    call: AttentionInputs<HostTensor>,
    limits: Partial<OpenDevice["capabilities"]["limits"]>,
    forced?: KernelName,
  ) {
    const { capabilities } = open;
    const backend = await WebGpuBackend.on(
      {
        ...open,
        owned: false,
        capabilities: { ...capabilities, limits: { ...capabilities.limits, ...limits } },
      },
      { kernel: forced },
    );
    largest = 0;
    grids = [];
    const plan = await backend.plan(describeProblem(call));
    const outputs = (await plan.run(call)) as AttentionOutputs<HostTensor>;
    const { dispatches } = plan.description;
    plan.dispose();
    backend.dispose();
    return { outputs, dispatches };
  }

  const MiB = 2 ** 20;
  // A softmax that is sharp enough for every part of the keys to matter somewhere.
  const long = { ...makeCall({ heads: [4, 2], lengths: [5, 20_000] }), scale: 1 };
  const byLength = (t: HostTensor): HostTensor =>
    transpose(contiguous(transpose(t, [0, 2, 1, 3])), [0, 2, 1, 3]);

  test.each<[string, AttentionInputs<HostTensor>, number]>([
    // 1.3 MB a head: keys in two parts, merged.
    ["keys of one head", { ...long, returns: { logSumExp: true } }, 5],
    // Heads lie between each other: no choice of heads makes the window smaller.
    [
      "keys of all heads",
      {
        ...long,
        key: byLength(long.key),
        value: byLength(long.value),
        causal: true,
        queryOffset: 15_000,
      },
      5,
    ],
    [
      "weights and scores",
      {
        ...makeCall({ heads: [2, 1], lengths: [5, 5000], sizes: [64, 32] }),
        returns: { weights: true, scores: "raw" },
      },
      7,
    ],
    ["many queries", makeCall({ lengths: [70_000, 3], heads: [1, 1], sizes: [8, 8] }), 2],
    [
      "float16 through float32",
      { ...makeCall({ lengths: [5, 40_000], heads: [1, 1], dtype: "float16" }), scale: 2 },
      4,
    ],
  ])("bindings of 1 MiB: %s", async (_, call, fewest) => {
    const { outputs, dispatches } = await run(call, { maxStorageBufferBindingSize: MiB });
    expect(largest).toBeGreaterThan(MiB / 2);
    expect(largest).toBeLessThanOrEqual(MiB);
    expect(dispatches).toBeGreaterThanOrEqual(fewest);
    expect(grids.length).toBeGreaterThanOrEqual(dispatches);
    expectPass(call, outputs);
  });

  test.each([["quad"], ["row"]] as const)("70,000 workgroups of kernel %s", async (kernel) => {
    // A quad's workgroup has a head's rows; a row's has 64 rows.
    const [heads, queries] = kernel === "quad" ? [70_000, 1] : [1, 64 * 70_000];
    const call = makeCall({ heads: [heads, heads], lengths: [queries, 2], sizes: [1, 1] });
    const { outputs } = await run(call, {}, kernel);
    const workgroups = grids.reduce((sum, [x = 1, y = 1, z = 1]) => sum + x * y * z, 0);
    expect(workgroups).toBeGreaterThanOrEqual(70_000);
    expect(grids.some(([, y = 1]) => y > 1)).toBe(true);
    for (const size of grids.flat()) expect(size).toBeLessThanOrEqual(65_535);
    // The sizes of everything are 1 but for two keys, so an output is a logistic of its logits.
    const [q, k, v] = [call.query.data, call.key.data, call.value.data];
    for (let row = 0; row < heads * queries; row += 997) {
      const at = 2 * Math.floor(row / queries);
      const logit = (key: number): number => Number(q[row]) * Number(k[at + key]);
      const share = 1 / (1 + Math.exp(logit(1) - logit(0)));
      const expected = share * Number(v[at]) + (1 - share) * Number(v[at + 1]);
      expect(Math.abs(Number(outputs.output.data[row]) - expected)).toBeLessThan(
        1e-6 * (1 + Math.abs(expected)),
      );
    }
  });
});
