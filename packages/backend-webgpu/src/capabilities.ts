import { type MatrixSizes, matrixStep, matrixThreads } from "./attention/kernels/matrix-sizes.js";

/** Limits that decisions depend on, by their names in WebGPU. */
export const limitNames = [
  "maxStorageBufferBindingSize",
  "maxBufferSize",
  "maxStorageBuffersPerShaderStage",
  "maxComputeWorkgroupStorageSize",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupsPerDimension",
  "minStorageBufferOffsetAlignment",
  "minUniformBufferOffsetAlignment",
] as const;

export type Limits = Readonly<Record<(typeof limitNames)[number], number>>;

/** Everything that decisions about kernels know of a device. */
export interface Capabilities {
  readonly limits: Limits;
  /** shader-f16. */
  readonly float16: boolean;
  readonly subgroups: boolean;
  /** Sizes of the matrices that subgroups multiply; null without the feature or the caller's wish. */
  readonly matrices: MatrixSizes | null;
  /** The adapter computes on the CPU. */
  readonly software: boolean;
  /**
   * The adapter's compiler takes a minute and more for an unrolled kernel, as LLVM does in Mesa's llvmpipe; SwiftShader's
   * takes a second or two. Left out: it does not.
   */
  readonly slowCompiler?: boolean;
}

/**
 * Whether kernels are worth trying that keep rows in private memory and are unrolled: they are fast on software adapters
 * alone, and a GPU's driver may take seconds to compile them.
 */
export function suitsUnrolled({ software, slowCompiler = false }: Capabilities): boolean {
  return software && !slowCompiler;
}

/** The limits and features of every device, whatever it was requested with. */
export const floor: Capabilities = {
  limits: {
    maxStorageBufferBindingSize: 128 * 2 ** 20,
    maxBufferSize: 256 * 2 ** 20,
    maxStorageBuffersPerShaderStage: 8,
    maxComputeWorkgroupStorageSize: 16_384,
    maxComputeInvocationsPerWorkgroup: 256,
    maxComputeWorkgroupsPerDimension: 65_535,
    minStorageBufferOffsetAlignment: 256,
    minUniformBufferOffsetAlignment: 256,
  },
  float16: false,
  subgroups: false,
  matrices: null,
  software: false,
};

/** A member of `GPUAdapterInfo.subgroupMatrixConfigs`, which is no standard yet. */
export interface SubgroupMatrixConfig {
  readonly componentType: string;
  readonly resultComponentType: string;
  readonly M: number;
  readonly N: number;
  readonly K: number;
}

/**
 * The first sizes that the kernel can use: adapters list those that suit them best first.
 *
 * @returns null where there are none
 */
export function matricesOf(
  configs: readonly SubgroupMatrixConfig[],
  subgroupMaxSize: number,
): MatrixSizes | null {
  if (!(subgroupMaxSize > 0) || matrixThreads % subgroupMaxSize !== 0) return null;
  const found = configs.find(
    ({ componentType, resultComponentType, M, N, K }) =>
      componentType === "f16" &&
      resultComponentType === "f32" &&
      [M, N, K].every((size) => size > 0 && size % 8 === 0 && matrixStep % size === 0),
  );
  return found ? { m: found.M, n: found.N, k: found.K } : null;
}
