import {
  type AnyOperation,
  type Attention,
  attention,
  type Bound,
  createAttention,
  type DeviceStorage,
  type DeviceTensor,
  defineBackend,
  deviceTensor,
  type HostTensor,
  implement,
  isDeviceTensor,
  referenceKernels,
  rmsNorm,
  rotary,
  scatter,
  storageOf,
  type Tensor,
  tensor,
  toFloat64,
  zeros,
} from "@heed/core";

/** Memory of a backend that is held in arrays, and counted. */
class Held implements DeviceStorage {
  readonly backend = "held";
  readonly of: HostTensor;
  readonly #live: Set<Held>;

  constructor(of: HostTensor, live: Set<Held>) {
    this.of = of;
    this.#live = live;
    live.add(this);
  }

  async read(layout: Layout): Promise<HostTensor> {
    const { shape, dtype } = layout;
    const elements = toFloat64(this.at(layout));
    return tensor(Array.from(elements) as never, shape, { dtype } as never) as HostTensor;
  }

  /** The elements of a layout, where they are. */
  at({ dtype, shape, strides, offset }: Layout): HostTensor {
    return tensor(this.of.data as never, shape, { dtype, strides, offset } as never) as HostTensor;
  }

  release(): void {
    this.#live.delete(this);
  }
}

type Layout = Pick<HostTensor, "dtype" | "shape" | "strides" | "offset">;

/** A tensor of the backend as the host tensor that it is. */
const onHost = (t: unknown): unknown =>
  isDeviceTensor(t as Tensor)
    ? (storageOf(t as DeviceTensor, Held) as Held).at(t as unknown as Layout)
    : t;

/** An attention on a backend with memory of its own, where every operation is computed by its reference. */
export async function heldAttention(): Promise<{
  readonly attention: Attention;
  /** How many pieces of memory are in use. */
  readonly live: () => number;
  /** A host tensor's copy in the memory. */
  readonly hold: (t: HostTensor) => DeviceTensor;
}> {
  const live = new Set<Held>();
  const hold = (t: HostTensor): DeviceTensor => {
    const copy = zeros(t.dtype, t.shape) as HostTensor;
    for (const [at, x] of toFloat64(t).entries()) copy.data[at] = x;
    return deviceTensor(new Held(copy, live), { dtype: t.dtype, shape: t.shape });
  };
  const kernels = (operation: AnyOperation) => {
    const host = referenceKernels(operation).kernels;
    return implement(operation, {
      plan: (problem: never) => ({
        description: { kernel: "held", tiles: {}, workspaceBytes: 0, dispatches: 1 },
        run: async (bound: Bound) => {
          const given = bound.inputs as Readonly<Record<string, unknown>>;
          const inputs = Object.fromEntries(
            Object.entries(given).map(([name, value]) => [name, onHost(value)]),
          );
          const plan = await host.plan(problem, undefined as never, undefined as never);
          const outputs = (await plan.run(operation.bind(problem, inputs as never))) as object;
          if (!bound.reads.some((t) => isDeviceTensor(t))) return outputs;
          // A tensor that is updated is the caller's own; the rest is new.
          return Object.fromEntries(
            Object.entries(outputs).map(([name, t]) => [
              name,
              isDeviceTensor(given[name] as Tensor) ? given[name] : hold(t as HostTensor),
            ]),
          );
        },
      }),
    } as never);
  };
  const memory = {
    upload: async (t: HostTensor) => hold(t),
    allocate: (dtype: HostTensor["dtype"], shape: readonly number[]) => hold(zeros(dtype, shape)),
  };
  const provider = defineBackend({
    name: "held",
    load: () => null,
    info: () => ({ runtime: "JavaScript", device: "CPU", features: [], threads: 1 }),
    operations: Object.fromEntries(
      [attention, scatter, rotary, rmsNorm].map((operation) => [
        operation.name,
        kernels(operation as AnyOperation),
      ]),
    ),
    memory: () => memory,
  } as never);
  return {
    attention: await createAttention({ backends: [provider], selfTest: false }),
    live: () => live.size,
    hold,
  };
}
