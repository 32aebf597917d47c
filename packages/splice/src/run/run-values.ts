import type { RuntimeTensor } from "@heed/backend-onnx/runtime";
import type { KnownMasks } from "./call.js";
import { downloaded, isOnGpu, type SharedGpu } from "./gpu/shared.js";

/** Values of one run by name. Tensors on the GPU that the run made are given back when they are dropped. */
export class RunValues {
  readonly #gpu: SharedGpu | null;
  readonly #values = new Map<string, RuntimeTensor>();
  /** Copies in JavaScript memory of values on the GPU. */
  readonly #copies = new Map<string, RuntimeTensor>();
  readonly #given = new Set<RuntimeTensor>();
  /** The inputs that masks of this run stand for, as far as they were read. */
  readonly masks: KnownMasks = new Map();

  /** @param gpu memory that onnxruntime shares with a backend, if any */
  constructor(gpu: SharedGpu | null) {
    this.#gpu = gpu;
  }

  get names(): string[] {
    return [...this.#values.keys()];
  }

  get(name: string): RuntimeTensor {
    return this.#values.get(name) as RuntimeTensor;
  }

  /** A value that was made during the run. */
  set(name: string, value: RuntimeTensor): void {
    this.#values.set(name, value);
  }

  /** A value that belongs to somebody else. */
  give(name: string, value: RuntimeTensor): void {
    this.#given.add(value);
    this.#values.set(name, value);
  }

  /** Copies values that are on the GPU, each once, so that `onHost` has them. */
  async fetch(names: Iterable<string>): Promise<void> {
    for (const name of names) {
      const value = this.get(name);
      if (!isOnGpu(value) || this.#copies.has(name)) continue;
      const copy = await this.#gpu?.read(value);
      this.#copies.set(name, copy ?? (await downloaded(value, !this.#given.has(value))));
    }
  }

  /** A value in JavaScript memory, which has been fetched if it is on the GPU. */
  onHost(name: string): RuntimeTensor {
    return this.#copies.get(name) ?? this.get(name);
  }

  drop(name: string): void {
    const value = this.#values.get(name);
    this.#values.delete(name);
    this.#copies.delete(name);
    if (!value || !isOnGpu(value) || this.#given.has(value)) return;
    for (const other of this.#values.values()) if (other === value) return;
    value.dispose();
  }

  /** An output of the model, which the caller owns from now on. */
  async take(name: string, onGpu: boolean): Promise<RuntimeTensor> {
    const value = this.get(name);
    const kept = onGpu || !isOnGpu(value) || this.#given.has(value);
    const taken = kept ? value : this.#copies.get(name);
    if (taken) {
      if (kept) this.#values.delete(name);
      return taken;
    }
    await this.fetch([name]);
    return this.onHost(name);
  }

  dropAll(): void {
    for (const name of this.names) this.drop(name);
  }
}
