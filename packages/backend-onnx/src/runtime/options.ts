import { InvalidInputError } from "@heed/core";
import { isRuntime, type OnnxRuntime } from "./runtime.js";

/** Execution providers that a caller can ask for; see {@link OnnxOptions.provider}. */
export type OnnxProvider = "wasm" | "webgpu" | "webnn" | "cpu";

export const onnxProviders: readonly OnnxProvider[] = ["wasm", "webgpu", "webnn", "cpu"];

/** Bytes that a run may need beside inputs and outputs, if the caller does not say. */
export const defaultWorkspaceBytes: number = 4 * 2 ** 30;

export interface OnnxOptions {
  /**
   * The execution provider that runs the models. `"wasm"`: onnxruntime-web on the CPU. `"cpu"`: onnxruntime-node. `"webgpu"`:
   * onnxruntime-web in browsers, onnxruntime-node in Node. `"webnn"`: onnxruntime-web. `"auto"`
   * (default): in Node cpu if onnxruntime-node is installed, else wasm; elsewhere webgpu if there is
   * an adapter that is not a software one, else wasm. A provider that was named and cannot work is
   * unavailable: nothing else stands in for it.
   */
  readonly provider?: OnnxProvider | "auto" | undefined;
  /**
   * The application's own copy of onnxruntime: the module object of onnxruntime-web (or one of its
   * entries) or of onnxruntime-node. Default: imported when the backend loads.
   */
  readonly runtime?: OnnxRuntime | undefined;
  /**
   * The application's own GPUDevice, for provider webgpu of onnxruntime-web: tensors on it can then be
   * shared with whatever else uses it. Default: the one that onnxruntime-web makes for its first session
   * and keeps for all that name none.
   */
  readonly device?: object | undefined;
  /**
   * Threads of providers wasm and cpu. Default: what onnxruntime takes by itself. For wasm it is a
   * setting of the whole runtime and holds from the first session on, whoever made that.
   */
  readonly threads?: number | undefined;
  /**
   * Bytes that a call may need beside inputs and outputs. Problems that need more, by an estimate, are
   * refused with the reason `"memory"`: graphs hold all logits at once. Default: 4 GiB.
   */
  readonly maxWorkspaceBytes?: number | undefined;
}

/** Checked options. */
export interface CheckedOptions {
  readonly provider: OnnxProvider | "auto";
  readonly runtime: OnnxRuntime | undefined;
  readonly device: object | undefined;
  readonly threads: number | undefined;
  readonly maxWorkspaceBytes: number;
}

const optionNames = ["provider", "runtime", "device", "threads", "maxWorkspaceBytes"];

/** @throws InvalidInputError naming the option */
export function checkOptions(options: OnnxOptions): CheckedOptions {
  const { provider = "auto", runtime, device, threads } = options;
  const { maxWorkspaceBytes = defaultWorkspaceBytes } = options;
  for (const name of Object.keys(options)) {
    if (!optionNames.includes(name)) {
      throw new InvalidInputError(name, `only the options ${optionNames.join(", ")}`, name);
    }
  }
  if (provider !== "auto" && !onnxProviders.includes(provider)) {
    const known = ["auto", ...onnxProviders].map((p) => JSON.stringify(p)).join(", ");
    throw new InvalidInputError("provider", `one of ${known}`, JSON.stringify(provider));
  }
  if (threads !== undefined && (!Number.isInteger(threads) || threads < 1)) {
    throw new InvalidInputError("threads", "an integer ≥ 1", String(threads));
  }
  if (typeof maxWorkspaceBytes !== "number" || !(maxWorkspaceBytes >= 0)) {
    throw new InvalidInputError("maxWorkspaceBytes", "a number ≥ 0", String(maxWorkspaceBytes));
  }
  if (runtime !== undefined && !isRuntime(runtime)) {
    throw new InvalidInputError(
      "runtime",
      "the module onnxruntime-web or onnxruntime-node, with InferenceSession and Tensor",
      runtime === null ? "null" : `an object with ${Object.keys(runtime ?? {}).join(", ")}`,
    );
  }
  if (device !== undefined && provider !== "webgpu") {
    throw new InvalidInputError("device", 'nothing, but with provider "webgpu"', "a device");
  }
  return { provider, runtime, device, threads, maxWorkspaceBytes };
}
