/** Where the wasm modules of TensorFlow.js lie, by file name; found beside the package in Node. */
export type WasmPaths = Readonly<Record<string, string>>;

/** Options that peers are made with. */
export interface PeerOptions {
  /** For those that can use more than one. */
  readonly threads: number;
  /** For TensorFlow.js, where it cannot find its own modules. */
  readonly tfjsWasm?: WasmPaths | undefined;
  /** Is given onnxruntime-web's settings before it makes its WebGPU device, such as to have it timed. */
  readonly prepareWebGpu?: ((settings: { adapter: unknown }) => Promise<void>) | undefined;
}
