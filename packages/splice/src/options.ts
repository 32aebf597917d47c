import { isRuntime, type OnnxRuntime } from "@heed/backend-onnx/runtime";
import { type Attention, describeValue, InvalidInputError } from "@heed/core";
import { checkAttention, readOptions } from "@heed/core/options";

export interface SpliceOptions {
  /** Runs the sites: what `createAttention` of `heed` or `@heed/core` resolves with. */
  readonly attention: Pick<Attention, "run" | "apply"> &
    Partial<Pick<Attention, "upload" | "allocate">>;
  /**
   * The application's own copy of onnxruntime: the module object of `onnxruntime-web` (or one of its entries) or
   * of `onnxruntime-node`. Default: the one that is installed; in Node `onnxruntime-node` before `onnxruntime-web`.
   */
  readonly runtime?: OnnxRuntime | undefined;
  /**
   * Options for onnxruntime's sessions, such as `{ executionProviders: ["webgpu"] }`. Default: the CPU, with all
   * optimisations. With onnxruntime-web's webgpu, and an attention whose backend has tensors on a GPU, pieces run on
   * that backend's GPUDevice, and tensors stay there. `preferredOutputLocation` is for the model's outputs.
   */
  readonly sessionOptions?: Readonly<Record<string, unknown>> | undefined;
  /**
   * Contents of a file beside the model in which weights are, by the path that the model says; `readWholeFile` of
   * `@heed/splice/files` reads those past 2 GiB. Each file is asked for once while the model is spliced, and not kept.
   */
  readonly externalData?: ((path: string) => Uint8Array | Promise<Uint8Array>) | undefined;
}

const names: ReadonlySet<keyof SpliceOptions> = new Set([
  "attention",
  "runtime",
  "sessionOptions",
  "externalData",
]);

/** @throws InvalidInputError naming the option */
export function checkOptions(options: SpliceOptions): SpliceOptions {
  const read = readOptions("options", options, names) as SpliceOptions;
  const { attention, runtime, externalData } = read;
  checkAttention(attention, ["run", "apply"]);
  if (runtime !== undefined && !isRuntime(runtime)) {
    throw new InvalidInputError(
      "runtime",
      "the module onnxruntime-web or onnxruntime-node, with InferenceSession and Tensor",
      describeValue(runtime),
    );
  }
  if (externalData !== undefined && typeof externalData !== "function") {
    throw new InvalidInputError(
      "externalData",
      "a function from a path to bytes",
      describeValue(externalData),
    );
  }
  return read;
}
