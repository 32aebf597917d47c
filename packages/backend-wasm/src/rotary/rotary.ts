import {
  type BoundRotary,
  type Implementation,
  implement,
  outputsOf,
  type PlanDescription,
  type RotaryOutputs,
  type RotaryProblem,
  rotary,
} from "@heed/core";
import { kernelName } from "../kernel-name.js";
import type { LoadedWasm } from "../load.js";
import { Arena } from "../memory/arena.js";
import type { PlacedTensor } from "../memory/placement.js";
import { float64Refused, operandsTooLarge } from "../refusals.js";
import * as D from "../shared/rotary.js";

/** Rotary position embedding in float32 and float16, on the calling thread: memory's speed is its limit. */
export const rotaryKernels: Implementation<LoadedWasm> = implement(rotary, {
  decide: (problem: RotaryProblem, { memory }: LoadedWasm) => {
    if (problem.dtype === "float64" || problem.tableDType === "float64") {
      return { reasons: [float64Refused] };
    }
    const hint = "split the batch or the heads over several calls";
    const operands = rotary.operands(problem);
    const refusal = operandsTooLarge(memory, operands, workspaceBytes(problem), hint);
    return refusal ? { reasons: [refusal] } : { decision: undefined };
  },
  plan: (problem, _, wasm: LoadedWasm) => ({
    description: describe(problem, wasm),
    run: (bound) => run(wasm, bound),
  }),
});

/** Bytes of a run beside inputs and outputs: descriptor, rows of float32, and a number for each token. */
function workspaceBytes(problem: RotaryProblem): number {
  return D.descriptorBytes + widenedBytes(problem) + 4 * problem.batch * problem.length;
}

/** Bytes for four rows of float16 as float32: input, output, cosines and sines. */
function widenedBytes({ dtype, rotaryDim }: RotaryProblem): number {
  return dtype === "float16" ? 4 * 16 * Math.ceil(rotaryDim / 4) : 0;
}

function describe(problem: RotaryProblem, { build }: LoadedWasm): PlanDescription {
  const { dtype, interleaved } = problem;
  const kernel = interleaved ? "pairs" : "halves";
  return {
    kernel: kernelName({ operation: "rotary", kernel, dtype, build }),
    tiles: {},
    workspaceBytes: workspaceBytes(problem),
    dispatches: 1,
  };
}

function run({ memory, kernels }: LoadedWasm, bound: BoundRotary): RotaryOutputs {
  const { problem } = bound;
  const arena = Arena.of(memory);
  try {
    const input = arena.place("input", bound.input);
    const cos = arena.place("cos", bound.cos);
    const sin = arena.place("sin", bound.sin);
    const perToken = cos.shape.length === 3;
    const rows = perToken ? 0 : arena.placeNumbers(bound.rows);
    let output = 0;
    for (const spec of outputsOf(rotary.operands(problem))) output = arena.allocateOutput(spec);
    const widened = widenedBytes(problem);
    const work = widened > 0 ? arena.allocate(widened) : 0;
    const descriptor = arena.allocate(D.descriptorBytes);
    const words = new DataView(memory.memory.buffer, descriptor, D.descriptorBytes);
    const values: readonly (readonly [at: number, value: number])[] = [
      [D.inputPointer, input.address],
      [D.inputBatchStride, input.strides[0] as number],
      [D.inputHeadStride, input.strides[1] as number],
      [D.inputRowStride, input.strides[2] as number],
      ...tableWords(D.cosPointer, cos),
      ...tableWords(D.sinPointer, sin),
      [D.rowsPointer, rows],
      [D.outputPointer, output],
      [D.batch, problem.batch],
      [D.heads, problem.heads],
      [D.length, problem.length],
      [D.headDim, problem.headDim],
      [D.rotaryDim, problem.rotaryDim],
      [D.interleaved, Number(problem.interleaved)],
      [D.isFloat16, Number(problem.dtype === "float16")],
      [D.tablesAreFloat16, Number(problem.tableDType === "float16")],
      [D.workPointer, work],
    ];
    for (const [at, value] of values) words.setUint32(at, value, true);
    kernels.rotate(descriptor);
    return arena.takeOutputs() as unknown as RotaryOutputs;
  } finally {
    arena.release();
  }
}

/** Address and strides of a table of cosines or sines, of rank 2 or 3. */
function tableWords(pointer: number, { address, strides }: PlacedTensor): [number, number][] {
  const [batchStride, rowStride] = [0, ...strides].slice(-3, -1) as [number, number];
  return [
    [pointer, address],
    [pointer + 4, batchStride],
    [pointer + 8, rowStride],
  ];
}
