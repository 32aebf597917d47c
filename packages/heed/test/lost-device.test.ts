/** A GPU that goes away in the middle of a call. The software adapter will do for that. */

import { type WebGpuBackend, webgpu } from "@heed/backend-webgpu";
import { type AttentionInputs, type AttentionProvider, type HostTensor, tensor } from "@heed/core";
import { afterEach, expect, test, vi } from "vitest";
import { createAttention } from "../src/index.js";

const filled = (seed: number): HostTensor<"float32"> =>
  tensor(
    Float32Array.from({ length: 2 * 4 * 8 }, (_, i) => Math.sin(seed + i)),
    [1, 2, 4, 8],
  );
const call: AttentionInputs<HostTensor> = { query: filled(1), key: filled(2), value: filled(3) };

const provider = webgpu({ allowFallbackAdapter: true });
const available = await provider.load().then(
  (backend) => {
    backend.dispose();
    return true;
  },
  () => false,
);
const required = (import.meta.env.HEED_REQUIRE ?? "").split(",").includes("webgpu");

afterEach(() => vi.useRealTimers());

test.skipIf(!available && !required)(
  "a device that is destroyed in the middle of a call costs neither the call nor the application",
  async () => {
    const devices: GPUDevice[] = [];
    const gpu: AttentionProvider = {
      name: "webgpu",
      load: async () => {
        const backend: WebGpuBackend = await provider.load();
        devices.push(backend.device);
        return backend;
      },
    };
    vi.useFakeTimers({ toFake: ["performance"] });
    const attention = await createAttention({
      backends: [gpu, "js"],
      fallback: "silent",
      select: "order",
      // Its kernels take a software adapter seconds to compile.
      selfTest: false,
    });
    const events: string[] = [];
    for (const event of ["lost", "recovered"] as const) {
      attention.on(event, ({ backend }) => events.push(`${event} ${backend}`));
    }
    const { backend, output } = await attention.run(call);
    expect(backend).toBe("webgpu");
    const uploaded = await attention.upload(call.key as HostTensor);

    const running = [attention.run(call), attention.run(call)];
    devices[0]?.destroy();
    for (const result of await Promise.all(running)) {
      // Work that was over before the device went is as good as any.
      expect(["webgpu", "js"]).toContain(result.backend);
      for (const i of [0, 9, 63]) {
        expect(result.output.data[i]).toBeCloseTo(output.data[i] as number, 4);
      }
    }
    expect((await attention.run(call)).backend).toBe("js");
    expect(events).toEqual(["lost webgpu"]);
    expect(attention.explain(call).others[0]).toMatchObject({
      backend: "webgpu",
      reasons: [{ code: "lost" }],
    });
    await expect(attention.run({ ...call, key: uploaded })).rejects.toMatchObject({
      code: "device-lost",
    });

    vi.advanceTimersByTime(1500);
    await attention.run(call);
    await vi.waitFor(() => expect(events).toEqual(["lost webgpu", "recovered webgpu"]), 10_000);
    expect((await attention.run(call)).backend).toBe("webgpu");
    expect(devices).toHaveLength(2);
    await attention.dispose();
  },
);
