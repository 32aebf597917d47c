import { DeviceError } from "@heed/core";
import { Faults } from "@heed/gpu-memory";
import { backendName } from "../name.js";
import { type Kernel, rulesBinding } from "../wgsl/kernel.js";

export interface Pipeline {
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
}

/** `GPUShaderStage.COMPUTE`; Node has no such global. */
const computeStage = 0x4;

/** Compiled kernels by device: backends that are loaded one after another on a device share them. */
const ofDevices = new WeakMap<GPUDevice, Pipelines>();

/** A device's compiled kernels, each compiled once, by name. */
export class Pipelines {
  readonly #device: GPUDevice;
  readonly #faults: Faults;
  readonly #ready = new Map<string, Pipeline>();
  readonly #compiling = new Map<string, Promise<Pipeline>>();

  private constructor(device: GPUDevice) {
    this.#device = device;
    this.#faults = Faults.of(device, backendName);
  }

  /** The kernels of a device: always the same object for the same device. */
  static of(device: GPUDevice): Pipelines {
    let pipelines = ofDevices.get(device);
    if (!pipelines) {
      pipelines = new Pipelines(device);
      ofDevices.set(device, pipelines);
    }
    return pipelines;
  }

  /** Names of the kernels compiled so far. */
  get names(): string[] {
    return [...this.#ready.keys()];
  }

  /** Compiles what is missing, all at once and without blocking. @throws DeviceError */
  async prepare(kernels: readonly Kernel[]): Promise<void> {
    const missing = kernels.filter(({ name }) => !this.#ready.has(name));
    if (missing.length > 0) await Promise.all(missing.map((kernel) => this.#compile(kernel)));
  }

  /** A kernel's pipeline; one that nobody prepared is compiled while everybody waits. */
  get(kernel: Kernel): Pipeline {
    let found = this.#ready.get(kernel.name);
    if (!found) {
      const { descriptor, layout } = this.#describe(kernel);
      found = { pipeline: this.#device.createComputePipeline(descriptor), layout };
      this.#ready.set(kernel.name, found);
    }
    return found;
  }

  #compile(kernel: Kernel): Promise<Pipeline> {
    const { name } = kernel;
    let compiling = this.#compiling.get(name);
    if (!compiling) {
      compiling = this.#create(kernel).finally(() => this.#compiling.delete(name));
      this.#compiling.set(name, compiling);
    }
    return compiling;
  }

  async #create(kernel: Kernel): Promise<Pipeline> {
    const { result, accepted } = this.#faults.watch(`kernel ${kernel.name}`, () =>
      this.#describe(kernel),
    );
    await accepted;
    try {
      const pipeline = await this.#faults.orLost(
        this.#device.createComputePipelineAsync(result.descriptor),
      );
      const made = { pipeline, layout: result.layout };
      this.#ready.set(kernel.name, made);
      return made;
    } catch (cause) {
      if (cause instanceof DeviceError) throw cause;
      throw new DeviceError(
        backendName,
        `kernel ${kernel.name} does not compile: ${cause instanceof Error ? cause.message : String(cause)}`,
        { cause },
      );
    }
  }

  #describe(kernel: Kernel): {
    descriptor: GPUComputePipelineDescriptor;
    layout: GPUBindGroupLayout;
  } {
    const device = this.#device;
    const { name, code, params, bindings } = kernel;
    const layout = device.createBindGroupLayout({
      label: name,
      entries: [
        {
          binding: 0,
          visibility: computeStage,
          buffer: { type: "uniform", hasDynamicOffset: true, minBindingSize: params.bytes },
        },
        ...bindings.map((binding, i) => ({
          binding: i + 1,
          visibility: computeStage,
          buffer: {
            type: binding.access === "read" ? ("read-only-storage" as const) : ("storage" as const),
            hasDynamicOffset: binding.name === rulesBinding,
          },
        })),
      ],
    });
    const module = device.createShaderModule({ label: name, code });
    const descriptor = {
      label: name,
      layout: device.createPipelineLayout({ label: name, bindGroupLayouts: [layout] }),
      compute: { module, entryPoint: "main" },
    };
    return { descriptor, layout };
  }
}
