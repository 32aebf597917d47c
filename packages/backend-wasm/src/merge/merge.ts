import {
  type BoundMerge,
  bytesPerElement,
  type Implementation,
  implement,
  type MergeOutputs,
  type MergeProblem,
  merge,
  outputsOf,
  type PlanDescription,
  type Tensor,
} from "@heed/core";
import { kernelName } from "../kernel-name.js";
import type { LoadedWasm } from "../load.js";
import { Arena } from "../memory/arena.js";
import type { PlacedTensor } from "../memory/placement.js";
import { float64Refused, operandsTooLarge } from "../refusals.js";
import * as D from "../shared/merge.js";

/** A part in wasm memory; neighbouring elements of a row of its output are neighbours there. */
interface PlacedPart {
  readonly output: PlacedTensor;
  readonly logSumExp: PlacedTensor;
}

/** Merging of partial attention in float32 and float16, on the calling thread: memory's speed is its limit. */
export const mergeKernels: Implementation<LoadedWasm> = implement(merge, {
  decide: (problem: MergeProblem, { memory }: LoadedWasm) => {
    if (problem.dtype === "float64" || problem.logSumExpDType === "float64") {
      return { reasons: [float64Refused] };
    }
    const hint = "merge some of the parts first, or some of the rows";
    const operands = merge.operands(problem);
    const refusal = operandsTooLarge(memory, operands, workspaceBytes(problem), hint);
    return refusal ? { reasons: [refusal] } : { decision: undefined };
  },
  plan: (problem, _, wasm: LoadedWasm) => ({
    description: describe(problem, wasm),
    run: (bound) => run(wasm, bound),
  }),
});

/** Bytes of a run beside inputs and outputs: descriptor, table of addresses and steps, weights of a row. */
function workspaceBytes({ parts, shape }: MergeProblem): number {
  const axes = shape.length;
  return D.descriptorBytes + 8 * axes + parts * (8 + 8 * axes) + parts * D.entryBytes;
}

function describe(problem: MergeProblem, { build }: LoadedWasm): PlanDescription {
  const { dtype } = problem;
  return {
    kernel: kernelName({ operation: "merge", kernel: "rows", dtype, build }),
    tiles: {},
    workspaceBytes: workspaceBytes(problem),
    dispatches: 1,
  };
}

function run({ memory, kernels }: LoadedWasm, bound: BoundMerge): MergeOutputs {
  const { problem } = bound;
  const arena = Arena.of(memory);
  try {
    const parts = bound.outputs.map(
      (output, p): PlacedPart => ({
        output: arena.place(`parts[${p}].output`, output),
        // Any distance between the elements will do.
        logSumExp: arena.placeBroadcast(`parts[${p}].logSumExp`, bound.logSumExps[p] as Tensor),
      }),
    );
    const [output, logSumExp] = outputsOf(merge.operands(problem)).map((spec) =>
      arena.allocateOutput(spec),
    ) as [number, number];
    const table = arena.placeNumbers(tableOf(problem.shape, parts));
    const work = arena.allocate(problem.parts * D.entryBytes);
    const descriptor = arena.allocate(D.descriptorBytes);
    const words = new DataView(memory.memory.buffer, descriptor, D.descriptorBytes);
    const values: readonly (readonly [at: number, value: number])[] = [
      [D.parts, problem.parts],
      [D.axes, problem.shape.length],
      [D.rows, problem.rows],
      [D.valueDim, problem.valueDim],
      [D.isFloat16, Number(problem.dtype === "float16")],
      [D.logSumExpIsFloat16, Number(problem.logSumExpDType === "float16")],
      [D.tablePointer, table],
      [D.outputPointer, output],
      [D.logSumExpPointer, logSumExp],
      [D.workPointer, work],
    ];
    for (const [at, value] of values) words.setUint32(at, value, true);
    kernels.mergeParts(descriptor);
    return arena.takeOutputs() as unknown as MergeOutputs;
  } finally {
    arena.release();
  }
}

/** The table that `tablePointer` of the descriptor points to. */
function tableOf(shape: readonly number[], parts: readonly PlacedPart[]): Int32Array {
  const records = parts.flatMap(({ output, logSumExp }) => {
    const outputSteps = stepsOf(shape, output);
    const logSumExpSteps = stepsOf(shape, logSumExp);
    const steps = outputSteps.flatMap((step, axis) => [step, logSumExpSteps[axis] as number]);
    return [output.address, logSumExp.address, ...steps];
  });
  // Addresses above 2 GiB and steps back are taken modulo 2³².
  return Int32Array.from([...shape, ...shape.map(() => 0), ...records]);
}

/**
 * Bytes from one row to the next for each axis along which the index may grow by one, while the indices along
 * all later axes return from their last value to 0.
 *
 * @param shape of the rows: the leading axes of the tensor
 */
function stepsOf(shape: readonly number[], { dtype, strides }: PlacedTensor): number[] {
  const bytes = bytesPerElement(dtype);
  const steps = new Array<number>(shape.length);
  let back = 0;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const stride = (strides[axis] as number) * bytes;
    steps[axis] = stride - back;
    back += ((shape[axis] as number) - 1) * stride;
  }
  return steps;
}
