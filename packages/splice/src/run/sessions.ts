import {
  exclusively,
  importRuntime,
  messageOf,
  type OnnxRuntime,
  OnnxRuntimeError,
  type Runtime,
  type RuntimeSession,
  type RuntimeTensor,
} from "@heed/backend-onnx/runtime";
import { encodePiece, externalFiles, givenAs, type Piece, type ValueType } from "../cut/extract.js";
import { SpliceError } from "../errors.js";
import type { ModelGraph } from "../graph/graph.js";
import type { SpliceOptions } from "../options.js";
import type { SharedGpu } from "./gpu/shared.js";
import type { Places } from "./places.js";
import { feedValue } from "./values.js";

/** Types of inputs and outputs as onnxruntime tells them. */
interface Metadata {
  readonly name: string;
  readonly isTensor: boolean;
  readonly type?: string;
  readonly shape?: readonly (number | string)[];
}

type Session = RuntimeSession & { readonly outputMetadata?: readonly Metadata[] };

/** A piece that onnxruntime has loaded. */
export interface LoadedPiece {
  readonly piece: Piece;
  run(read: (value: string) => RuntimeTensor): Promise<ReadonlyMap<string, RuntimeTensor>>;
  release(): Promise<void>;
}

/** Options of a loader of pieces. */
export interface LoaderOptions extends SpliceOptions {
  /** Memory that onnxruntime and a backend share: sessions then run on its device. */
  readonly gpu: SharedGpu | null;
  /** The memory for values between pieces; null where all are in JavaScript memory. */
  readonly places: Places | null;
}

/** Makes sessions of pieces, and knows the types of the values that they make. */
export class PieceLoader {
  readonly runtime: Runtime;
  readonly #graph: ModelGraph;
  readonly #options: LoaderOptions;
  readonly #types = new Map<string, ValueType>();
  /** Files beside the model that {@link keepingFiles} holds. */
  #files: Map<string, Uint8Array> | null = null;

  constructor(graph: ModelGraph, runtime: Runtime, options: LoaderOptions) {
    this.#graph = graph;
    this.#options = options;
    this.runtime = runtime;
  }

  typeOf(value: string): ValueType {
    return this.#types.get(value) ?? { dtype: "float32", dims: null };
  }

  setType(value: string, type: ValueType): void {
    this.#types.set(value, type);
  }

  encode(piece: Piece): Uint8Array {
    return encodePiece(this.#graph, piece, (value) => this.typeOf(value));
  }

  /** @throws OnnxRuntimeError, SpliceError */
  async load(piece: Piece): Promise<LoadedPiece> {
    const { places } = this.#options;
    const outputs = places
      ? Object.fromEntries(
          piece.outputs.map((value) => [givenAs(this.#graph, value), places.of(value)]),
        )
      : undefined;
    return this.#loaded(piece, await this.#session(this.encode(piece), piece, outputs));
  }

  /** A piece that runs once, and whose outputs are in JavaScript memory. @throws OnnxRuntimeError, SpliceError */
  async loadOnHost(piece: Piece): Promise<LoadedPiece> {
    return this.#loaded(piece, await this.#session(this.encode(piece), piece, "cpu"));
  }

  /** The file as it is. @throws OnnxRuntimeError, SpliceError */
  async loadWhole(file: Uint8Array): Promise<LoadedPiece> {
    const { inputs, outputs, initializers } = this.#graph;
    const piece: Piece = {
      nodes: this.#graph.nodes,
      inputs: inputs.map(({ name }) => name),
      outputs: outputs.filter((name) => !this.#graph.isWeight(name)),
      weights: [...initializers.keys()],
    };
    const { preferredOutputLocation } = this.#options.sessionOptions ?? {};
    return this.#loaded(piece, await this.#session(file, piece, preferredOutputLocation));
  }

  #loaded(piece: Piece, session: Session): LoadedPiece {
    const graph = this.#graph;
    const names = new Map(piece.outputs.map((value) => [givenAs(graph, value), value]));
    for (const { name, isTensor, type, shape } of session.outputMetadata ?? []) {
      const value = names.get(name);
      if (value === undefined) continue;
      if (!isTensor || !type) {
        throw new SpliceError(
          "not-tensors",
          `the value ${value}, which crosses between pieces, is no tensor`,
        );
      }
      const known = shape && shape.length > 0 ? shape : null;
      this.#types.set(value, { dtype: type, dims: known });
    }
    const runtime = this.runtime;
    return {
      piece,
      run: async (read) => {
        const feeds = Object.fromEntries(
          piece.inputs.map((value) => [value, feedValue(runtime, read(value))]),
        );
        const results = await exclusively(runtime, () => ran(session, feeds));
        return new Map(
          piece.outputs.map((value) => [value, results[givenAs(graph, value)] as RuntimeTensor]),
        );
      },
      release: () => exclusively(runtime, () => session.release()),
    };
  }

  /** Reads each file beside the model once while pieces are loaded, and keeps none afterwards. */
  async keepingFiles<R>(load: () => Promise<R>): Promise<R> {
    this.#files = new Map();
    try {
      return await load();
    } finally {
      this.#files = null;
    }
  }

  /** @param outputs where onnxruntime leaves them: its session option `preferredOutputLocation` */
  async #session(model: Uint8Array, piece: Piece, outputs: unknown): Promise<Session> {
    const files = externalFiles(this.#graph, piece);
    const externalData = [];
    for (const path of files) externalData.push({ path, data: await this.#file(path) });
    const { sessionOptions, gpu } = this.#options;
    const { preferredOutputLocation, ...given } = sessionOptions ?? {};
    const options = {
      graphOptimizationLevel: "all",
      logSeverityLevel: 3,
      ...given,
      ...(gpu && { executionProviders: onDevice(given.executionProviders, gpu.device) }),
      ...(outputs !== undefined && { preferredOutputLocation: outputs }),
      ...(externalData.length > 0 && { externalData }),
    };
    try {
      return (await exclusively(this.runtime, () =>
        this.runtime.InferenceSession.create(model, options as never),
      )) as Session;
    } catch (cause) {
      throw new OnnxRuntimeError(
        `ONNX Runtime does not take a piece of the model: ${messageOf(cause)}`,
        "see whether it takes the whole model; another execution provider or version may have what is missing",
        { cause },
      );
    }
  }

  async #file(path: string): Promise<Uint8Array> {
    const known = this.#files?.get(path);
    if (known) return known;
    const load = this.#options.externalData;
    if (!load) {
      throw new SpliceError(
        "external-data",
        `weights of the model are in the file ${path}: the option externalData has to give it`,
      );
    }
    const data = await load(path);
    if (!(data instanceof Uint8Array)) {
      throw new SpliceError("external-data", `externalData gave no Uint8Array for ${path}`);
    }
    this.#files?.set(path, data);
    return data;
  }
}

/** The execution providers, with a GPUDevice for webgpu: onnxruntime-web takes one for each session. */
function onDevice(providers: unknown, device: object): unknown {
  if (!Array.isArray(providers)) return providers;
  return providers.map((provider) => {
    if (provider === "webgpu") return { name: "webgpu", device };
    return provider?.name === "webgpu" ? { ...provider, device } : provider;
  });
}

async function ran(
  session: Session,
  feeds: Record<string, RuntimeTensor>,
): Promise<Readonly<Record<string, RuntimeTensor>>> {
  try {
    return await session.run(feeds);
  } catch (cause) {
    throw new OnnxRuntimeError(
      `ONNX Runtime failed while it ran a piece of the model: ${messageOf(cause)}`,
      "compare the feeds with the model's inputs",
      { cause },
    );
  }
}

/** The application's runtime, or the one that is installed. */
export async function findRuntime(given: OnnxRuntime | undefined): Promise<Runtime> {
  if (given) return given as unknown as Runtime;
  const { process } = globalThis as { process?: { versions?: { node?: string } } };
  if (!process?.versions?.node) return importRuntime("wasm");
  try {
    return await importRuntime("cpu");
  } catch {
    return importRuntime("wasm");
  }
}
