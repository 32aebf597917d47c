import type { Arithmetic, StorageTraits } from "./graph/spec.js";
import type { OnnxProvider } from "./runtime/options.js";

/** What an execution provider can do, as far as the choice and the writing of graphs go. */
export interface ProviderTraits extends Arithmetic, StorageTraits {
  readonly provider: OnnxProvider;
  /** Whether it computes the operator Attention, for what `chooseGraph` gives it. */
  readonly attention: boolean;
  /**
   * Queries of 64 elements and more from which on onnxruntime's own GroupQueryAttention, which skips tiles
   * that no row sees and keeps no logits, is as fast in spite of the layout that it wants: as the operator
   * Attention, and as plain operators. Null where it never is.
   */
  readonly groupQueryFrom: { readonly attention: number; readonly plain: number } | null;
  /** Whether its kernels take float64. */
  readonly float64: boolean;
  /** Bytes that one tensor may have; null where nothing is known to limit it. */
  readonly largestTensor: number | null;
  /** Bytes that a run may need beside inputs and outputs, as the caller or a default has it. */
  readonly maxWorkspaceBytes: number;
  /** Bytes that there are in all; null where nothing is known to limit it. */
  readonly memory: number | null;
}

/** What is known of a device before its traits are. */
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

/** The providers whose kernels add up one key after another. */
const chunkedFrom: Readonly<
  Partial<Record<OnnxProvider, (keys: number, rows: number) => boolean>>
> = {
  cpu: manyKeys,
  wasm: manyKeys,
};

/** Bytes that a run may need beside inputs and outputs, if the caller does not say. */
export const defaultWorkspaceBytes: number = 4 * 2 ** 30;

export function traitsOf(
  provider: OnnxProvider,
  device: DeviceFacts,
  maxWorkspaceBytes: number = defaultWorkspaceBytes,
): ProviderTraits {
  const onCpu = provider === "wasm" || provider === "cpu";
  return {
    provider,
    infinities: onCpu,
    and: onCpu,
    // The WebGPU provider registers the operator and then fails at it: "not yet implemented".
    attention: onCpu,
    groupQueryFrom: provider === "cpu" ? { attention: 768, plain: 512 } : null,
    float64: onCpu,
    float16: onCpu || device.float16,
    ...(chunkedFrom[provider] && { chunked: chunkedFrom[provider] }),
    largestTensor: onCpu ? null : device.largestTensor,
    maxWorkspaceBytes,
    memory: provider === "wasm" ? wasmMemory : null,
  };
}
