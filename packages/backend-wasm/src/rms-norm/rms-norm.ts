import {
  type BoundRmsNorm,
  type Implementation,
  implement,
  outputsOf,
  type RmsNormOutputs,
  type RmsNormProblem,
  rmsNorm,
} from "@heed/core";
import { kernelName } from "../kernel-name.js";
import type { LoadedWasm } from "../load.js";
import { Arena } from "../memory/arena.js";
import { float64Refused, operandsTooLarge } from "../refusals.js";
import * as D from "../shared/rms-norm.js";

/** Root mean square normalisation in float32 and float16, on the calling thread: memory's speed is its limit. */
export const rmsNormKernels: Implementation<LoadedWasm> = implement(rmsNorm, {
  decide: (problem: RmsNormProblem, { memory }: LoadedWasm) => {
    if (problem.dtype === "float64") return { reasons: [float64Refused] };
    const hint = "split the input over several calls";
    const operands = rmsNorm.operands(problem);
    const refusal = operandsTooLarge(memory, operands, workspaceBytes(problem), hint);
    return refusal ? { reasons: [refusal] } : { decision: undefined };
  },
  plan: (problem, _, wasm: LoadedWasm) => ({
    description: {
      kernel: kernelName({
        operation: "rms-norm",
        kernel: "rows",
        dtype: problem.dtype,
        build: wasm.build,
      }),
      tiles: {},
      workspaceBytes: workspaceBytes(problem),
      dispatches: 1,
    },
    run: (bound) => run(wasm, bound),
  }),
});

/** Bytes of a run beside inputs and outputs. */
function workspaceBytes(problem: RmsNormProblem): number {
  return D.descriptorBytes + widenedBytes(problem);
}

/** Bytes for a vector of float16 and the weight as float32. */
function widenedBytes({ dtype, size }: RmsNormProblem): number {
  return dtype === "float16" ? 2 * 16 * Math.ceil(size / 4) : 0;
}

function run({ memory, kernels }: LoadedWasm, bound: BoundRmsNorm): RmsNormOutputs {
  const { problem, epsilon } = bound;
  const arena = Arena.of(memory);
  try {
    const input = arena.place("input", bound.input);
    const weight = arena.place("weight", bound.weight);
    let output = 0;
    for (const spec of outputsOf(rmsNorm.operands(problem))) output = arena.allocateOutput(spec);
    const widened = widenedBytes(problem);
    const work = widened > 0 ? arena.allocate(widened) : 0;
    const descriptor = arena.allocate(D.descriptorBytes);
    const words = new DataView(memory.memory.buffer, descriptor, D.descriptorBytes);
    // Axes that are missing have one place.
    const [batch, heads, rows] = [1, 1, 1, ...problem.shape].slice(-4) as number[];
    const [ofBatch, ofHead, ofRow] = [0, 0, 0, ...input.strides].slice(-4) as number[];
    const values: readonly (readonly [at: number, value: number | undefined])[] = [
      [D.inputPointer, input.address],
      [D.inputBatchStride, ofBatch],
      [D.inputHeadStride, ofHead],
      [D.inputRowStride, ofRow],
      [D.weightPointer, weight.address],
      [D.outputPointer, output],
      [D.batch, batch],
      [D.heads, heads],
      [D.rows, rows],
      [D.vectorSize, problem.size],
      [D.isFloat16, Number(problem.dtype === "float16")],
      [D.workPointer, work],
    ];
    for (const [at, value] of values) words.setUint32(at, value as number, true);
    words.setFloat32(D.epsilon, epsilon, true);
    kernels.normalise(descriptor);
    return arena.takeOutputs() as unknown as RmsNormOutputs;
  } finally {
    arena.release();
  }
}
