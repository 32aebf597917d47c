import { webgpu } from "@heed/backend-webgpu";

/** Whether there is WebGPU here at all: conformance.test.ts says why not, and whether that may be. */
export const available: boolean = await webgpu({ allowFallbackAdapter: true })
  .load()
  .then(
    (backend) => {
      backend.dispose();
      return true;
    },
    () => false,
  );
