import { webgpu } from "@heed/backend-webgpu";
import type { AttentionProvider } from "@heed/core";
import { WebGpuBackend } from "../src/backend.js";
import { openDevice } from "../src/device.js";
import { findGpu } from "../src/gpu.js";

/** A device as an application gets it: without features, and with the limits that all devices have. */
export async function unrequestedDevice(): Promise<GPUDevice> {
  const adapter = await (await findGpu()).requestAdapter();
  if (adapter === null) throw new Error("no adapter");
  return adapter.requestDevice();
}

/** The backend on such a device. */
export const unrequested: AttentionProvider = {
  name: "webgpu",
  load: async () => {
    // Says why there is none, where there is none.
    (await webgpu().load()).dispose();
    return webgpu({ device: await unrequestedDevice() }).load();
  },
};

/** The backend that decides as on a real GPU, whatever there is: kernels of those are tested, too. */
export const asOnGpu: AttentionProvider = {
  name: "webgpu",
  load: async () => {
    const open = await openDevice({});
    return new WebGpuBackend({ ...open, capabilities: { ...open.capabilities, software: false } });
  },
};
