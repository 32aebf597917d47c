import {
  type BoundScatter,
  DisposedError,
  type DType,
  type HostTensor,
  type Implementation,
  InvalidInputError,
  implement,
  isDeviceTensor,
  rowMajorStrides,
  type ScatterProblem,
  scatter,
  scatterRows,
  storageOf,
  type Tensor,
  type TypedArray,
} from "@heed/core";
import type { LoadedWasm } from "../load.js";
import type { WasmMemory } from "../memory/memory.js";
import { WasmStorage } from "../memory/tensor.js";

/**
 * Scatter in place. JavaScript writes the rows, over typed arrays on wasm memory: they are few bytes,
 * and kernels run on the same thread, so that calls are in order.
 */
export const scatterKernels: Implementation<LoadedWasm> = implement(scatter, {
  plan: (problem: ScatterProblem, _, { memory }: LoadedWasm) => ({
    description: {
      kernel: `scatter-rows-${problem.targetDType.replace("float", "f")}`,
      tiles: {},
      workspaceBytes: problem.targetDType === "int8" ? 8 * problem.headDim : 0,
      dispatches: 1,
      notes: ["rows are written by JavaScript"],
    },
    run: (bound) => {
      const { target, source, scales, slots, outputs } = bound as BoundScatter;
      scatterRows({
        problem,
        target: viewOf(memory, "target", target),
        source: viewOf(memory, "source", source),
        scales: scales && viewOf(memory, "scales", scales),
        slots,
      });
      return outputs;
    },
  }),
});

/**
 * A tensor as typed arrays, in wasm memory or the host's. The view is void as soon as the memory grows.
 *
 * @throws InvalidInputError, DisposedError
 */
function viewOf(memory: WasmMemory, argument: string, t: Tensor): HostTensor {
  if (!isDeviceTensor(t)) return t;
  const storage = storageOf(t, WasmStorage);
  if (storage === null || storage.memory !== memory) {
    throw new InvalidInputError(argument, "a tensor of this backend", "one of another");
  }
  if (t.disposed) throw new DisposedError(argument);
  const { dtype, shape, strides = rowMajorStrides(shape), offset = 0 } = t;
  const reach = shape.includes(0)
    ? 0
    : shape.reduce((sum, size, axis) => sum + (size - 1) * (strides[axis] as number), offset + 1);
  const View = arrays[dtype] as ArrayConstructor;
  const data = new View(memory.memory.buffer, storage.address, reach);
  // Not checked again: the call was, and this one is made for each row that is written.
  return { dtype, shape, strides, offset: reach === 0 ? 0 : offset, data };
}

type ArrayConstructor = new (buffer: ArrayBufferLike, start: number, length: number) => TypedArray;

const arrays: Partial<Readonly<Record<DType, unknown>>> = {
  float32: Float32Array,
  float16: Uint16Array,
  int8: Int8Array,
};
