import { type ClockSearch, type GpuClock, watchAdapter } from "./gpu-clock.js";

/** The part of onnxruntime's settings that is changed here. */
interface WebGpuSettings {
  adapter: unknown;
}

/** The clock of onnxruntime-web's only device; null until its first session has been made. */
let clock: GpuClock | null = null;
let watching: Promise<void> | null = null;

/**
 * Has onnxruntime-web's WebGPU device timed. It makes one, for its first session, and from then on
 * uses no other. Its own profiling would give each kernel a pass of its own, and so change what is
 * measured; its adapter can be altered beforehand.
 *
 * Does nothing without an adapter: making the session then throws, and says so.
 */
export async function watchDevice(settings: WebGpuSettings): Promise<void> {
  watching ??= (async () => {
    const gpu = (globalThis.navigator as Partial<Navigator> | undefined)?.gpu;
    const adapter = await gpu?.requestAdapter();
    if (!adapter?.features.has("timestamp-query")) return;
    watchAdapter(adapter, (watched) => {
      clock = watched;
    });
    settings.adapter = adapter;
  })();
  await watching;
}

/** The clock of onnxruntime's device, once its first session has been made. */
export function deviceClock(runtime: "web" | "node"): ClockSearch {
  if (runtime === "node") return { missing: "onnxruntime-node keeps its GPU device to itself" };
  return clock ? { clock } : { missing: "the adapter has no timestamp-query" };
}
