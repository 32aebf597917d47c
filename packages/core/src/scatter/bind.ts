import type { Bound } from "../operation/operation.js";
import { checkProblem } from "../operation/problem.js";
import { takeSame } from "../tensor/host-tensor.js";
import type { Tensor } from "../tensor/tensor.js";
import type { ScatterInputs, ScatterOutputs } from "./inputs.js";
import { checkMemory } from "./memory.js";
import type { ScatterProblem } from "./problem.js";
import { readSlots } from "./slots.js";

/** A call of scatter whose slots are rows of the whole target. */
export interface BoundScatter<T extends Tensor = Tensor>
  extends Bound<ScatterProblem, ScatterInputs> {
  readonly target: T;
  readonly source: T;
  /** Only beside an int8 target. */
  readonly scales: T | undefined;
  /**
   * `[batch, n]`: number of the row that a row of the source goes to, entry · rows + row, static and
   * paged alike; −1 for none.
   */
  readonly slots: Int32Array;
  /** The result of the call: the tensors as the caller gave them. */
  readonly outputs: ScatterOutputs<T>;
}

/**
 * Resolves a call: copies the slots and counts them over the whole target.
 *
 * @param inputs a call that `describeScatter` has turned into `problem`
 * @throws InvalidInputError also for slots that changed since and are wrong now
 */
export function bindScatter(problem: ScatterProblem, inputs: ScatterInputs): BoundScatter {
  checkProblem(problem, "scatter");
  const { batch, heads, count, headDim, entries, rows, paged, sourceDType, targetDType } = problem;
  const shape = [entries, heads, rows, headDim];
  const target = takeSame("target", inputs.target, shape, targetDType);
  const source = takeSame("source", inputs.source, [batch, heads, count, headDim], sourceDType);
  const scales =
    targetDType === "int8"
      ? takeSame("scales", inputs.scales, [entries, heads, rows], "float32")
      : undefined;
  checkMemory({ target, source, scales });
  const given = readSlots(inputs.slots, problem);
  const slots = wholeRows(problem, given);
  return {
    problem,
    target,
    source,
    scales,
    slots,
    reads: scales ? [target, scales, source] : [target, source],
    inputs: { target, source, slots: given, paged, ...(scales && { scales }) },
    outputs: { target: inputs.target, ...(scales && { scales: inputs.scales as Tensor }) },
  };
}

/** Slots counted over the whole target. */
function wholeRows(problem: ScatterProblem, given: Int32Array): Int32Array {
  const { heads, headDim, targetDType, paged, batch, count, rows } = problem;
  // Without a single element, rows may be more than an int32 counts; there is nothing to write.
  if (heads === 0 || (headDim === 0 && targetDType !== "int8")) {
    return new Int32Array(given.length).fill(-1);
  }
  if (paged || batch < 2) return given;
  const slots = given.slice();
  for (let b = 1; b < batch; b++) {
    for (let i = b * count; i < (b + 1) * count; i++) {
      const slot = slots[i] as number;
      if (slot !== -1) slots[i] = b * rows + slot;
    }
  }
  return slots;
}
