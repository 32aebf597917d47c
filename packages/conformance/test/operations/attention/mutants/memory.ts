import {
  type AttentionInputs,
  type AttentionOutputs,
  type AttentionProvider,
  attention,
  contiguous,
  type DeviceStorage,
  type DeviceTensor,
  defineBackend,
  deviceTensor,
  type HostTensor,
  implement,
  isDeviceTensor,
  rowMajorStrides,
  storageOf,
  type TensorLayout,
  zeros,
} from "@heed/core";
import { right as rightOutputs } from "./backend.js";
import type { ConductMutant } from "./conduct.js";

/** Memory that is a typed array, row-major. */
class Memory implements DeviceStorage {
  readonly backend = "mutant";
  held: HostTensor;

  constructor(t: HostTensor) {
    this.held = { ...contiguous(t), data: contiguous(t).data.slice() };
  }

  async read(layout: TensorLayout): Promise<HostTensor> {
    return copied({ ...layout, data: this.held.data } as HostTensor);
  }

  release(): void {}
}

function copied(t: HostTensor): HostTensor {
  const { dtype, shape, strides, offset, data } = t;
  return contiguous({ dtype, shape, strides, offset, data: data.slice() } as HostTensor);
}

/** The memory under tensors that mutants alter. */
const memories = new WeakMap<DeviceTensor, Memory>();

/** Steps that a mutant replaces. */
interface MemorySteps {
  /** How a device tensor's elements are found, as an input of a run. */
  readonly input: (t: DeviceTensor, held: HostTensor) => HostTensor;
  /** Makes a tensor on memory. */
  readonly make: (memory: Memory) => DeviceTensor;
  readonly allocate: (t: HostTensor) => HostTensor;
}

const right: MemorySteps = {
  input: ({ shape, strides = rowMajorStrides(shape), offset = 0 }, held) => ({
    ...held,
    shape,
    strides,
    offset,
  }),
  make: (memory) => deviceTensor(memory, memory.held),
  allocate: (t) => t,
};

/** A backend with memory of its own, which computes as it should. */
export function backendWithMemory(replaced: Partial<MemorySteps> = {}): AttentionProvider {
  const s = { ...right, ...replaced };
  const place = (t: HostTensor): DeviceTensor => s.make(new Memory(t));
  return defineBackend<null>({
    name: "mutant",
    load: () => null,
    info: () => ({ runtime: "JavaScript", device: "CPU", features: [], threads: 1 }),
    memory: () => ({
      upload: async (t) => place(t),
      allocate: (dtype, shape) => place(s.allocate(zeros(dtype, shape))),
    }),
    operations: {
      attention: implement(attention, {
        plan: (problem) => ({
          description: { kernel: "mutant", tiles: {}, workspaceBytes: 0, dispatches: 1 },
          run: ({ inputs }) => {
            let onDevice = false;
            const host = Object.fromEntries(
              Object.entries(inputs).map(([name, t]) => {
                if (!isDeviceTensor(t)) return [name, t];
                onDevice = true;
                return [
                  name,
                  s.input(t, (storageOf(t, Memory) ?? (memories.get(t) as Memory)).held),
                ];
              }),
            ) as unknown as AttentionInputs<HostTensor>;
            const outputs = rightOutputs(problem, host);
            if (!onDevice) return outputs;
            return Object.fromEntries(
              Object.entries(outputs).map(([name, t]) => [name, place(t)]),
            ) as unknown as AttentionOutputs;
          },
        }),
      }),
    },
  });
}

const mutant = (name: string, steps: Partial<MemorySteps>): ConductMutant => ({
  name,
  profile: "behaviour",
  provider: () => backendWithMemory(steps),
});

/** A memory's tensor with some of its members replaced. */
function altered(change: (t: DeviceTensor, memory: Memory) => object): MemorySteps["make"] {
  return (memory) => {
    const t = right.make(memory);
    const replaced = change(t, memory) as Record<PropertyKey, unknown>;
    const made = new Proxy(t, {
      get: (target, name) => {
        if (name in replaced) return replaced[name];
        const member = Reflect.get(target, name, target);
        return typeof member === "function" ? member.bind(target) : member;
      },
    });
    memories.set(made, memory);
    return made;
  };
}

/** Bugs in memory of a backend's own. */
export const memoryMutants: readonly ConductMutant[] = [
  mutant("device tensors as inputs are read row-major, whatever their strides", {
    input: (t, held) => ({ ...held, shape: t.shape, strides: rowMajorStrides(t.shape), offset: 0 }),
  }),
  mutant("allocated memory holds what was there", {
    allocate: (t) => ({ ...t, data: t.data.slice().fill(1) as typeof t.data }),
  }),
  mutant("reading gives the memory itself, not a copy", {
    make: altered((_, memory) => ({ read: async () => memory.held })),
  }),
  mutant("disposing a tensor clears what its views show", {
    make: altered((t, memory) => ({
      dispose: () => {
        memory.held.data.fill(0);
        t.dispose();
      },
    })),
  }),
  mutant("a view of a device tensor starts at its first element, whatever the offset", {
    make: altered((t) => ({
      view: (layout: TensorLayout) => t.view?.({ ...layout, offset: 0 }),
    })),
  }),
  mutant("views of a device tensor may reach past it", {
    make: altered((_, memory) => ({
      view: (layout: TensorLayout) => deviceTensor(memory, { ...layout, dtype: memory.held.dtype }),
    })),
  }),
];
