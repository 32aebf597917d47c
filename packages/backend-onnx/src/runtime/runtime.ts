import type { Dimension } from "../model/model.js";

/**
 * ONNX Runtime as an application imports it: the module `onnxruntime-web` (or one of its entries) or
 * `onnxruntime-node`. Only the members that Heed uses, so that no version's types are needed.
 */
export interface OnnxRuntime {
  readonly env: object;
  readonly InferenceSession: { create(...args: never[]): Promise<unknown> };
  readonly Tensor: new (...args: never[]) => unknown;
}

/** Whether a value has the members of onnxruntime's module that Heed cannot do without. */
export function isRuntime(value: unknown): value is OnnxRuntime {
  const { InferenceSession, Tensor } = (value ?? {}) as Partial<OnnxRuntime>;
  return typeof Tensor === "function" && typeof InferenceSession?.create === "function";
}

/** Element types by onnxruntime's names. */
export type RuntimeDType =
  | "float64"
  | "float32"
  | "float16"
  | "int64"
  | "int32"
  | "int8"
  | "uint8"
  | "bool";

/** A tensor of onnxruntime's. */
export interface RuntimeTensor {
  readonly type: string;
  readonly dims: readonly number[];
  /** Elements that are in JavaScript memory; throws for others. */
  readonly data: unknown;
  readonly location: string;
  dispose(): void;
}

export interface RuntimeSession {
  run(
    feeds: Readonly<Record<string, RuntimeTensor>>,
    fetches?: Readonly<Record<string, RuntimeTensor | null>>,
  ): Promise<Readonly<Record<string, RuntimeTensor>>>;
  release(): Promise<void>;
}

/** The members of onnxruntime's `InferenceSession.SessionOptions` that Heed sets. */
export interface SessionOptions {
  readonly executionProviders: readonly (
    | string
    | { readonly name: string; readonly device: object }
  )[];
  readonly graphOptimizationLevel: "all";
  readonly logSeverityLevel: 0 | 1 | 2 | 3 | 4;
  readonly intraOpNumThreads?: number;
  readonly interOpNumThreads?: number;
  readonly freeDimensionOverrides?: Readonly<Record<string, Dimension>>;
  readonly extra?: Readonly<Record<string, unknown>>;
}

/** The same module, typed as Heed uses it. */
export interface Runtime {
  readonly env: {
    readonly versions?: { readonly web?: string; readonly node?: string; readonly common?: string };
    readonly wasm: { numThreads?: number; readonly proxy?: boolean };
    readonly webgpu: { readonly device: unknown };
  };
  readonly InferenceSession: {
    create(model: Uint8Array, options: SessionOptions): Promise<RuntimeSession>;
  };
  readonly Tensor: {
    new (type: RuntimeDType, data: unknown, dims: readonly number[]): RuntimeTensor;
    fromGpuBuffer?(
      buffer: unknown,
      options: {
        dataType: string;
        dims: readonly number[];
        download?(): Promise<unknown>;
        dispose?(): void;
      },
    ): RuntimeTensor;
  };
}
