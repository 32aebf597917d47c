import { cast, contiguous, type DType } from "@heed/core";
import { type ComputeDevice, GpuMemory, Packer, RowWriter } from "@heed/gpu-memory";
import { backendName } from "../name.js";
import { zeroOrOne } from "../runtime/booleans.js";

/**
 * Memory on the device that onnxruntime-web uses, the copying of layouts that it cannot read there, and the writing of
 * rows in place, which none of its operators does.
 */
export interface OnnxMemory {
  readonly tensors: GpuMemory;
  readonly packer: Packer;
  readonly rows: RowWriter;
}

/**
 * @param float16 whether the device holds float16; if not, it is stored as float32
 * @param unused called once the memory is disposed and no tensor of it is left
 */
export function onnxMemory(
  device: ComputeDevice,
  float16: boolean,
  unused: () => void,
): OnnxMemory {
  const stored = (dtype: DType): DType => (dtype === "float16" && !float16 ? "float32" : dtype);
  const tensors = new GpuMemory(backendName, device, {
    unused,
    stored: {
      dtype: stored,
      // Row-major, as onnxruntime reads it: a copy here is made once, and one on the device at every run.
      convert: (t) => {
        const dense = contiguous(cast(t, stored(t.dtype)));
        return t.dtype === "bool" ? zeroOrOne(dense) : dense;
      },
    },
  });
  return {
    tensors,
    packer: new Packer(device, tensors),
    rows: new RowWriter(device, tensors),
  };
}
