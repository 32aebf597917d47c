import type { MemoryMeter } from "../../src/measure/memory.js";

/** Total size, in bytes, of objects that hold memory until they are collected or destroyed. */
class Holdings {
  #held = 0;
  #peak = 0;
  readonly #collected = new FinalizationRegistry<{ bytes: number }>((entry) => this.#drop(entry));
  readonly #entries = new WeakMap<object, { bytes: number }>();

  add(owner: object, bytes: number): void {
    const entry = { bytes };
    this.#entries.set(owner, entry);
    this.#collected.register(owner, entry);
    this.#held += bytes;
    this.#peak = Math.max(this.#peak, this.#held);
  }

  remove(owner: object): void {
    const entry = this.#entries.get(owner);
    if (entry) this.#drop(entry);
  }

  #drop(entry: { bytes: number }): void {
    this.#held -= entry.bytes;
    entry.bytes = 0;
  }

  /** @returns a function that gives the peak since this call, less the bytes held at this call */
  watch(): () => number {
    const before = this.#held;
    this.#peak = before;
    return () => this.#peak - before;
  }
}

/** This worker's wasm memories that have not been garbage-collected. */
class WasmMemories {
  readonly #memories = new Set<WeakRef<WebAssembly.Memory>>();
  readonly #known = new WeakSet<WebAssembly.Memory>();

  add(memory: WebAssembly.Memory): void {
    if (this.#known.has(memory)) return;
    this.#known.add(memory);
    this.#memories.add(new WeakRef(memory));
  }

  /** They never shrink: what they have at the end was their peak. */
  watch(): () => number {
    const before = new Map(this.#sizes());
    return () =>
      this.#sizes().reduce((sum, [memory, bytes]) => sum + bytes - (before.get(memory) ?? 0), 0);
  }

  #sizes(): [WebAssembly.Memory, number][] {
    return [...this.#memories].flatMap((reference): [WebAssembly.Memory, number][] => {
      const memory = reference.deref();
      if (memory) return [[memory, memory.buffer.byteLength]];
      this.#memories.delete(reference);
      return [];
    });
  }
}

/**
 * Watches this worker's wasm memories and GPU buffers, which is where everything but the js backend
 * computes. JavaScript's own heap cannot be watched from here: browsers tell a page of it
 * (measureUserAgentSpecificMemory), but seconds later, after they have collected garbage, so that a
 * peak is not among what they tell.
 *
 * To be called before anything is loaded: it listens to how memories and buffers are made.
 */
export function workerMemoryMeter(): MemoryMeter {
  const memories = new WasmMemories();
  const buffers = new Holdings();
  listenToWasm(memories);
  listenToGpu(buffers);
  return {
    free: deviceMemory,
    start: ({ runtime }) => {
      if (runtime === "JavaScript") {
        return () => ({
          bytes: null,
          of: "not measurable here: a worker cannot watch JavaScript's heap",
        });
      }
      const wasm = memories.watch();
      const gpu = buffers.watch();
      return () => ({ bytes: wasm() + gpu(), of: "wasm memories and GPU buffers" });
    },
  };
}

/** Memory of the device as the browser says it, at most 8 GiB; it does not tell how much is free. */
function deviceMemory(): number | null {
  const { deviceMemory: gib } = navigator as { deviceMemory?: number };
  return gib === undefined ? null : gib * 2 ** 30;
}

/** Memories are made by name, or come out of an instance. */
function listenToWasm(memories: WasmMemories): void {
  const { instantiate, instantiateStreaming } = WebAssembly;
  WebAssembly.Memory = new Proxy(WebAssembly.Memory, {
    construct(target, args, newTarget) {
      const memory = Reflect.construct(target, args, newTarget) as WebAssembly.Memory;
      memories.add(memory);
      return memory;
    },
  });
  const look = (made: WebAssembly.Instance | WebAssembly.WebAssemblyInstantiatedSource): void => {
    const { exports } = "instance" in made ? made.instance : made;
    for (const value of Object.values(exports)) {
      if (value instanceof WebAssembly.Memory) memories.add(value);
    }
  };
  const heard =
    <A extends unknown[]>(make: (...args: A) => Promise<never>) =>
    async (...args: A): Promise<never> => {
      const made = await make.apply(WebAssembly, args);
      look(made);
      return made;
    };
  WebAssembly.instantiate = heard(instantiate as never) as typeof instantiate;
  WebAssembly.instantiateStreaming = heard(
    instantiateStreaming as never,
  ) as typeof instantiateStreaming;
  WebAssembly.Instance = new Proxy(WebAssembly.Instance, {
    construct(target, args, newTarget) {
      const instance = Reflect.construct(target, args, newTarget) as WebAssembly.Instance;
      look(instance);
      return instance;
    },
  });
}

function listenToGpu(buffers: Holdings): void {
  const scope = globalThis as {
    GPUDevice?: { prototype: GPUDevice };
    GPUBuffer?: { prototype: GPUBuffer };
  };
  if (!scope.GPUDevice || !scope.GPUBuffer) return;
  const device = scope.GPUDevice.prototype;
  const buffer = scope.GPUBuffer.prototype;
  const { createBuffer } = device;
  const { destroy } = buffer;
  device.createBuffer = function (this: GPUDevice, descriptor) {
    const made = createBuffer.call(this, descriptor);
    buffers.add(made, made.size);
    return made;
  };
  buffer.destroy = function (this: GPUBuffer) {
    buffers.remove(this);
    return destroy.call(this);
  };
}
