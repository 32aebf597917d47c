import type { FloatDType, SupportReason } from "@heed/core";
import type { Arithmetic, StorageTraits } from "../attention/graph/spec.js";
import { defaultWorkspaceBytes, type OnnxProvider } from "./options.js";

/** Capabilities of an execution provider that the choice and the writing of graphs depend on. */
export interface ProviderTraits extends Arithmetic, StorageTraits {
  readonly provider: OnnxProvider;
  /** Whether it computes the operator Attention, for what `chooseGraph` gives it. */
  readonly attention: boolean;
  /**
   * Number of queries (of 64 elements or more) from which onnxruntime's own GroupQueryAttention is as fast as
   * the operator Attention and as plain operators. It skips tiles that no row sees and keeps no logits, but
   * wants its inputs in another layout. Null if it is never used.
   */
  readonly groupQueryFrom: { readonly operator: number; readonly plain: number } | null;
  /**
   * Whether it reads host tensors where they lie. If so, graphs choose the keys that they need; else the host
   * does before all of them are copied.
   */
  readonly readsInPlace: boolean;
  /** Whether a run writes its outputs into host tensors that it is given. */
  readonly writesInPlace: boolean;
  /** Largest product of sizes that its kernels' integers hold; null if that is no limit. */
  readonly largestSize: number | null;
  /** Whether its kernels move int8: gather and slice it. */
  readonly movesInt8: boolean;
  /** Multiply-adds that take as long as starting a run. */
  readonly startCost: number;
  /** Whether its kernels take float64. */
  readonly float64: boolean;
  /** Largest size of one tensor, in bytes; null if no limit is known. */
  readonly largestTensor: number | null;
  /** Bytes that a run may need beside inputs and outputs, as the caller or a default has it. */
  readonly maxWorkspaceBytes: number;
  /** Memory of the runtime, in bytes; null if no limit is known. */
  readonly memory: number | null;
}

/** The reason against float64 among a problem's element types, if the provider has no kernels for it. */
export function refusesFloat64(
  { provider, float64 }: ProviderTraits,
  ...dtypes: readonly FloatDType[]
): SupportReason[] {
  if (float64 || !dtypes.includes("float64")) return [];
  const message = `onnxruntime's provider ${provider} has no kernels for float64`;
  return [{ code: "dtype", message, hint: "providers wasm and cpu have" }];
}

/** Facts about a device that its traits follow from. */
export interface DeviceFacts {
  readonly float16: boolean;
  readonly largestTensor: number | null;
}

/**
 * WebAssembly's 4 GiB, less what the runtime itself, the inputs in JavaScript's copies and an
 * allocator that grows by doubling take.
 */
const wasmMemory = 3 * 2 ** 30;

/**
 * Whether sums over so many keys are split into chunks. With few rows that costs next to nothing where the
 * keys divide evenly; with many it costs passes over the logits, and their kernels are more accurate, as they
 * add up panels of keys.
 */
function manyKeys(keys: number, rows: number): boolean {
  return keys > (rows < 16 ? 2048 : 4096);
}

/** Long caches only, since chunks are more dispatches, and the error of 8192 keys is a third of its budget. */
function veryManyKeys(keys: number): boolean {
  return keys > 8192;
}

/** The providers whose kernels add up one key after another. */
const chunkedFrom: Readonly<
  Partial<Record<OnnxProvider, (keys: number, rows: number) => boolean>>
> = {
  cpu: manyKeys,
  wasm: manyKeys,
  webgpu: veryManyKeys,
};

export function traitsOf(
  provider: OnnxProvider,
  device: DeviceFacts,
  maxWorkspaceBytes: number = defaultWorkspaceBytes,
): ProviderTraits {
  const onCpu = provider === "wasm" || provider === "cpu";
  return {
    provider,
    infinities: onCpu,
    looksAgain: onCpu,
    and: onCpu,
    // The WebGPU provider registers the operator and then fails at it: "not yet implemented".
    attention: onCpu,
    groupQueryFrom: provider === "cpu" ? { operator: 768, plain: 512 } : null,
    readsInPlace: provider === "cpu",
    writesInPlace: provider === "cpu",
    // Sizes and differences of addresses have 32 bits there.
    largestSize: provider === "wasm" ? 2 ** 31 - 1 : null,
    movesInt8: onCpu,
    startCost: onCpu ? 1e6 : 1e8,
    float64: onCpu,
    float16: onCpu || device.float16,
    ...(chunkedFrom[provider] && { chunked: chunkedFrom[provider] }),
    panels: onCpu,
    largestTensor: onCpu ? null : device.largestTensor,
    maxWorkspaceBytes,
    memory: provider === "wasm" ? wasmMemory : null,
  };
}
