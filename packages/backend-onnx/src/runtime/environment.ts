import type { ComputeDevice } from "@heed/gpu-memory";

/** Facts about the WebGPU device that onnxruntime-web uses. */
export interface AdapterFacts {
  readonly name: string;
  /** Bytes of the largest storage binding, and so of the largest tensor. */
  readonly largestBinding: number;
}

export function inNode(): boolean {
  const { process } = globalThis as { process?: { versions?: { node?: string } } };
  return process?.versions?.node !== undefined;
}

/** The parts of WebGPU used here, spelled out since not every project has WebGPU's types. */
interface AdapterInfo {
  readonly description?: string;
  readonly vendor?: string;
  readonly architecture?: string;
  readonly isFallbackAdapter?: boolean;
}

interface Gpu {
  requestAdapter(): Promise<{ readonly info?: AdapterInfo } | null>;
}

/** Whether there is a WebGPU adapter that is faster than WebAssembly: not one in software. */
export async function hasHardwareAdapter(): Promise<boolean> {
  const { navigator } = globalThis as { navigator?: { readonly gpu?: Gpu } };
  const adapter = await navigator?.gpu?.requestAdapter();
  return adapter != null && adapter.info?.isFallbackAdapter !== true;
}

/** @param used the GPUDevice that sessions run on: one that was given, or that the first of them chose */
export function adapterFacts(used: unknown): {
  readonly facts: AdapterFacts;
  readonly device: ComputeDevice;
} {
  const device = used as ComputeDevice & {
    readonly adapterInfo?: AdapterInfo;
    readonly limits: { readonly maxStorageBufferBindingSize: number };
  };
  const { description, vendor, architecture } = device.adapterInfo ?? {};
  const name = description || [vendor, architecture].filter(Boolean).join(" ") || "GPU";
  return { facts: { name, largestBinding: device.limits.maxStorageBufferBindingSize }, device };
}
