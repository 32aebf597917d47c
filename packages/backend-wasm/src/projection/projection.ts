import {
  type BoundProjection,
  bytesPerElement,
  type Implementation,
  implement,
  outputsOf,
  type ProjectionOutputs,
  type ProjectionProblem,
  projection,
  type Verdict,
} from "@heed/core";
import type { SharingLimits } from "../attention/plan.js";
import { kernelName } from "../kernel-name.js";
import type { LoadedWasm } from "../load.js";
import { Arena } from "../memory/arena.js";
import { float64Refused, operandsTooLarge } from "../refusals.js";
import * as D from "../shared/projection.js";

/** Most rows of the input that are worked on together. */
const mostBlockRows = 16;
/** Bytes of a block of the input, so that it stays in a second-level cache beside the weight. */
const blockBytes = 131_072;
/** Bytes of the weight of an item, so that it stays in a cache for all blocks of the input. */
const itemBytes = 262_144;
/** Items of each thread, so that one that starts late takes fewer. */
const itemsOfThread = 4;
/** Most items of a job: fewer than what the pool's counter holds. */
const mostItems = 16_384;

/** How the work is divided. */
interface ProjectionPlan {
  readonly threads: number;
  readonly items: number;
  readonly itemOutputs: number;
  readonly blockRows: number;
  /** Buffer of each thread for float16 rows as float32. */
  readonly workspaceBytes: number;
}

/**
 * Linear layers in float32 and float16, by kernels of their own.
 *
 * @param sharing when problems are shared by threads
 */
export function projectionKernels(sharing: SharingLimits): Implementation<LoadedWasm> {
  return implement<typeof projection, LoadedWasm, ProjectionPlan>(projection, {
    decide: (problem: ProjectionProblem, wasm): Verdict<ProjectionPlan> => {
      if (problem.dtype === "float64") return { reasons: [float64Refused] };
      const plan = divide(problem, problemThreads(problem, wasm, sharing));
      const hint = "split the rows or the weight over several calls";
      const operands = projection.operands(problem);
      const workspaceBytes = D.descriptorBytes + plan.threads * plan.workspaceBytes;
      const refusal = operandsTooLarge(wasm.memory, operands, workspaceBytes, hint);
      return refusal ? { reasons: [refusal] } : { decision: plan };
    },
    plan: ({ dtype }, plan, wasm) => ({
      description: {
        kernel: kernelName({ operation: "projection", kernel: "rows", dtype, build: wasm.build }),
        tiles: { queries: plan.blockRows, columns: plan.itemOutputs },
        workspaceBytes: D.descriptorBytes + plan.threads * plan.workspaceBytes,
        dispatches: 1,
      },
      run: (bound) => run(wasm, plan, bound as BoundProjection),
    }),
  });
}

function problemThreads(
  { batch, length, inputSize, outputSize }: ProjectionProblem,
  { threads }: LoadedWasm,
  { sharedWork }: SharingLimits,
): number {
  return batch * length * inputSize * outputSize < sharedWork ? 1 : threads;
}

function divide(
  { batch, length, inputSize, outputSize, dtype }: ProjectionProblem,
  threads: number,
): ProjectionPlan {
  const rows = batch * length;
  const inBlock = Math.floor(blockBytes / (4 * Math.max(1, inputSize) * D.panelRows));
  const blockRows = D.panelRows * Math.max(1, Math.min(mostBlockRows / D.panelRows, inBlock));
  const ofCache = itemBytes / (4 * Math.max(1, inputSize));
  const ofThread = threads === 1 ? outputSize : outputSize / (threads * itemsOfThread);
  // With few rows, the weight is read once: the fewer items, the better.
  const wanted = rows <= D.panelRows ? ofThread : Math.min(ofThread, ofCache);
  const least = Math.max(wanted, outputSize / mostItems, 2);
  const itemOutputs = 2 * Math.ceil(least / 2);
  const widened = dtype === "float16" ? (Math.min(rows, blockRows) + 2) * inputSize : 0;
  return {
    threads,
    items: rows === 0 ? 0 : Math.ceil(outputSize / itemOutputs),
    itemOutputs,
    blockRows,
    workspaceBytes: 16 * Math.ceil((widened + 1) / 4),
  };
}

function run(
  { memory, kernels, pool, batchInvariant }: LoadedWasm,
  { items, itemOutputs, blockRows, workspaceBytes, threads: planned }: ProjectionPlan,
  bound: BoundProjection,
): ProjectionOutputs {
  const { batch, length, inputSize, outputSize, dtype } = bound.problem;
  // Whoever awaits calls alone gives timers no turn, and would wait for threads in vain.
  if (planned > 1) pool?.start();
  const threads = pool?.isReady || pool?.isBroken ? planned : 1;
  const arena = Arena.of(memory);
  try {
    const input = arena.place("input", bound.input);
    const weight = arena.place("weight", bound.weight);
    const bias = bound.bias ? arena.place("bias", bound.bias).address : 0;
    let output = 0;
    for (const spec of outputsOf(projection.operands(bound.problem))) {
      output = arena.allocateOutput(spec);
    }
    const workspace = arena.allocate(threads * workspaceBytes);
    const descriptor = arena.allocate(D.descriptorBytes);
    const words = new Uint32Array(memory.memory.buffer, descriptor, D.descriptorBytes / 4);
    const size = bytesPerElement(dtype);
    const [batchStride, rowStride] = input.strides as [number, number, number];
    words[D.rows / 4] = batch * length;
    words[D.length / 4] = length;
    words[D.inputSize / 4] = inputSize;
    words[D.outputSize / 4] = outputSize;
    words[D.itemOutputs / 4] = itemOutputs;
    words[D.blockRows / 4] = blockRows;
    words[D.isFloat16 / 4] = Number(dtype === "float16");
    words[D.isInvariant / 4] = Number(batchInvariant);
    words[D.inputPointer / 4] = input.address;
    words[D.inputBatchStride / 4] = size * batchStride;
    words[D.inputRowStride / 4] = size * rowStride;
    words[D.weightPointer / 4] = weight.address;
    words[D.weightStride / 4] = size * (weight.strides[0] as number);
    words[D.biasPointer / 4] = bias;
    words[D.outputPointer / 4] = output;
    if (pool && threads > 1 && items > 1) {
      pool.run({ descriptor: descriptor + D.jobMark, items, threads, workspace, workspaceBytes });
    } else {
      for (let item = 0; item < items; item++) kernels.project(descriptor, workspace, item);
    }
    return arena.takeOutputs() as unknown as ProjectionOutputs;
  } finally {
    arena.release();
  }
}
