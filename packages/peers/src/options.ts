/** Paths of TensorFlow.js's wasm modules, by file name. Node needs none: they are beside the package. */
export type WasmPaths = Readonly<Record<string, string>>;

/** Options that peers are made with. */
export interface PeerOptions {
  /** Threads for the peers that can use more than one. */
  readonly threads: number;
  /** Paths for TensorFlow.js where it cannot find its own modules. */
  readonly tfjsWasm?: WasmPaths | undefined;
  /** Called with onnxruntime-web's settings before it creates its WebGPU device, e.g. to enable timestamps. */
  readonly prepareWebGpu?: ((settings: { adapter: unknown }) => Promise<void>) | undefined;
}
