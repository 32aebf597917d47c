import type { Runtime, RuntimeTensor } from "@heed/backend-onnx/runtime";
import {
  type Attention,
  type DeviceTensor,
  type DType,
  type HostTensor,
  isContiguous,
  isDeviceTensor,
  isHeedError,
  reshape,
  scatter,
  storageOf,
  type Tensor,
  tensor,
} from "@heed/core";
import {
  type BufferTensor,
  bufferOf,
  type GpuBuffer,
  type GpuDevice,
  GpuMemory,
  GpuStorage,
  wrapBuffer,
} from "@heed/gpu-memory";
import type { SpliceOptions } from "../../options.js";
import { runtimeValue } from "../values.js";
import { BufferLayout } from "./layout.js";

/** Tensors of onnxruntime's on the GPU, by the members that are used here. */
interface GpuRuntimeTensor extends RuntimeTensor {
  readonly gpuBuffer: GpuBuffer;
  getData(release?: boolean): Promise<unknown>;
}

/** An execution provider among `sessionOptions`, by name or with options. */
type Provider = string | { readonly name: string; readonly device?: unknown };

export function isOnGpu(value: RuntimeTensor): value is GpuRuntimeTensor {
  return value.location === "gpu-buffer";
}

/** The provider webgpu of onnxruntime-web among the options for sessions; undefined without. */
export function webgpuProvider(
  runtime: Runtime,
  { sessionOptions }: SpliceOptions,
): Provider | undefined {
  // onnxruntime-node keeps its device, and so its buffers, to itself.
  if (runtime.env.versions?.node !== undefined || !runtime.Tensor.fromGpuBuffer) return undefined;
  const providers = sessionOptions?.executionProviders;
  if (!Array.isArray(providers)) return undefined;
  return (providers as Provider[]).find((one) => nameOf(one) === "webgpu");
}

function nameOf(provider: Provider): string {
  return typeof provider === "string" ? provider : provider?.name;
}

/** Memory that onnxruntime and a backend share, or the reason why they share none. */
export type Sharing = { readonly gpu: SharedGpu } | { readonly gpu: null; readonly reason: string };

/**
 * Finds a backend whose tensors are in buffers of the GPUDevice that pieces run on, or can run on.
 *
 * @param operators whether the model has operators, whose outputs are written there
 */
export async function findSharedGpu(
  attention: SpliceOptions["attention"],
  runtime: Runtime,
  options: SpliceOptions,
  operators: boolean,
): Promise<Sharing> {
  const provider = webgpuProvider(runtime, options);
  if (provider === undefined) {
    return { gpu: null, reason: "the pieces do not run on onnxruntime-web's provider webgpu" };
  }
  const none = { gpu: null, reason: "no backend has tensors in a GPU's memory" };
  if (typeof attention.upload !== "function") return none;
  const probe = await uploaded(attention as Pick<Attention, "upload">);
  if (!probe) return none;
  const device = storageOf(probe, GpuStorage)?.device;
  const copies = device && operators ? await copiesRefused(attention, probe) : null;
  probe.dispose();
  if (!device) return none;
  const own = typeof provider === "object" ? provider.device : undefined;
  if (own !== undefined && own !== device) {
    const reason = `the pieces run on another GPUDevice than backend ${probe.backend}`;
    return { gpu: null, reason };
  }
  return { gpu: new SharedGpu(probe.backend, device, runtime, { attention, copies }) };
}

/** Why a backend cannot write rows of its tensors, which operators need; null where it can. */
async function copiesRefused(
  attention: SpliceOptions["attention"],
  probe: DeviceTensor,
): Promise<string | null> {
  const target = reshape(probe, [1, 1, 1, 1]);
  const source = tensor(new Float32Array(1), [1, 1, 1, 1]);
  try {
    await attention.apply(scatter, { target, source, slots: Int32Array.of(0), paged: false });
    return null;
  } catch (error) {
    if (isHeedError(error, "unsupported")) return (error as Error).message;
    throw error;
  } finally {
    target.dispose();
  }
}

async function uploaded(attention: Pick<Attention, "upload">): Promise<DeviceTensor | null> {
  try {
    return await attention.upload(tensor(new Float32Array(1), [1]));
  } catch (error) {
    if (isHeedError(error, "unsupported")) return null;
    throw error;
  }
}

const dtypes: Readonly<Record<string, DType>> = {
  float32: "float32",
  float16: "float16",
  int32: "int32",
  bool: "bool",
};

/** The memory of a GPUDevice that onnxruntime-web and a backend both use. */
export class SharedGpu {
  /** Name of the backend. */
  readonly backend: string;
  readonly device: GpuDevice;
  readonly #runtime: Runtime;
  readonly #memory: GpuMemory;
  readonly #attention: SpliceOptions["attention"];
  /** Why the backend cannot copy rows between its tensors; null where it can, or where no site is an operator. */
  readonly copies: string | null;
  /** Weights that operators read, by the names of their values. */
  readonly #weights = new Map<string, Promise<DeviceTensor>>();

  constructor(
    backend: string,
    device: GpuDevice,
    runtime: Runtime,
    about: { readonly attention: SpliceOptions["attention"]; readonly copies: string | null },
  ) {
    this.backend = backend;
    this.#attention = about.attention;
    this.copies = about.copies;
    this.device = device;
    this.#runtime = runtime;
    this.#memory = new GpuMemory(backend, device, { records: true });
  }

  /** How a tensor of onnxruntime's lies in its buffer; undefined for one that is not there or of a type without use. */
  layout(value: RuntimeTensor): BufferLayout | undefined {
    const dtype = dtypes[value.type];
    if (!isOnGpu(value) || dtype === undefined) return undefined;
    return BufferLayout.whole(this.backend, value.gpuBuffer, dtype, value.dims);
  }

  /** The backend's tensor over a view of a buffer, which stays onnxruntime's. To be disposed. */
  tensor({ buffer, dtype, shape, strides, offset }: BufferLayout): BufferTensor {
    return wrapBuffer(this.backend, buffer as GpuBuffer, shape, { dtype, strides, offset });
  }

  /**
   * A row-major tensor of the backend's as onnxruntime's, over the same buffer, with sizes of its own. It owns the
   * tensor, which is disposed with it.
   */
  give(t: DeviceTensor, dims: readonly number[]): RuntimeTensor {
    const buffer = bufferOf(t);
    const { Tensor } = this.#runtime;
    if (!buffer || !Tensor.fromGpuBuffer) throw new Error("the runtime has tensors on the GPU");
    return Tensor.fromGpuBuffer(buffer, {
      dataType: t.dtype,
      dims,
      download: async () => (await t.read()).data,
      dispose: () => t.dispose(),
    });
  }

  /** A backend's tensor as {@link give}, or as a copy in JavaScript memory if onnxruntime cannot read it in place. */
  async given(t: Tensor, dims: readonly number[]): Promise<RuntimeTensor> {
    if (isDeviceTensor(t) && isContiguous(t) && (t.offset ?? 0) === 0) return this.give(t, dims);
    return runtimeValue(this.#runtime, await hostCopy(t), dims);
  }

  /** A weight of the model on the device: uploaded once, for all sites, and disposed with this memory. */
  weight(value: string, t: HostTensor): Promise<DeviceTensor> {
    const known = this.#weights.get(value);
    if (known) return known;
    const { upload } = this.#attention as Pick<Attention, "upload">;
    const uploaded = upload.call(this.#attention, t, { backend: this.backend });
    this.#weights.set(value, uploaded);
    return uploaded;
  }

  /** A copy in JavaScript memory; undefined for a type that only onnxruntime reads. */
  async read(value: RuntimeTensor): Promise<RuntimeTensor | undefined> {
    const layout = this.layout(value);
    if (!layout) return undefined;
    const t = this.tensor(layout);
    try {
      this.#memory.place("tensor", t); // tells it the device
      return runtimeValue(this.#runtime, await t.read(), value.dims);
    } finally {
      t.dispose();
    }
  }

  dispose(): void {
    for (const weight of this.#weights.values()) {
      weight.then(
        (t) => t.dispose(),
        () => {},
      );
    }
    this.#weights.clear();
    this.#memory.dispose();
  }
}

/**
 * A tensor of onnxruntime's with its elements in JavaScript memory, from then on.
 *
 * @param release whether its buffer is given back: not for one that belongs to somebody else
 */
export async function downloaded(value: RuntimeTensor, release: boolean): Promise<RuntimeTensor> {
  if (isOnGpu(value)) await value.getData(release);
  return value;
}

/** A host tensor of what a backend returned, wherever that is; a tensor on a device is disposed. */
async function hostCopy(t: Tensor): Promise<HostTensor> {
  if (!("backend" in t)) return t;
  try {
    return await t.read();
  } finally {
    t.dispose();
  }
}
