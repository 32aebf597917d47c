import {
  type BoundScatter,
  DisposedError,
  type DType,
  type HostTensor,
  type Implementation,
  InvalidInputError,
  implement,
  isDeviceTensor,
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
      const copies = problem.targetDType === problem.sourceDType;
      scatterRows({
        problem,
        target: viewOf(memory, "target", target, copies),
        source: viewOf(memory, "source", source, copies),
        scales: scales && viewOf(memory, "scales", scales, false),
        slots,
      });
      return outputs;
    },
  }),
});

/**
 * A tensor over a typed array, in wasm memory or the host's. The view is void as soon as the memory grows.
 *
 * @param asBits whether elements are copied as they are, so that float32 may be seen as integers
 * @throws InvalidInputError, DisposedError
 */
function viewOf(memory: WasmMemory, argument: string, t: Tensor, asBits: boolean): HostTensor {
  if (!isDeviceTensor(t)) return t;
  const storage = storageOf(t, WasmStorage);
  if (storage === null || storage.memory !== memory) {
    throw new InvalidInputError(argument, "a tensor of this backend", "one of another");
  }
  if (t.disposed) throw new DisposedError(argument);
  // Over the whole memory, whose views are kept: one for each row that is written would be waste.
  return storage.view(t, arrayOf(memory, t.dtype, asBits));
}

function arrayOf(memory: WasmMemory, dtype: DType, asBits: boolean): TypedArray {
  if (dtype === "float32") return asBits ? memory.words : memory.floats;
  return dtype === "float16" ? memory.halves : memory.octets;
}
