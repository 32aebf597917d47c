import { takeOperand } from "../operation/known-operands.js";
import type { Bound, OperandSpec } from "../operation/operation.js";
import { checkProblem } from "../operation/problem.js";
import { roomForIntegers, sharedIntegers } from "../operation/shared-integers.js";
import type { Tensor } from "../tensor/tensor.js";
import type { ScatterInputs, ScatterOutputs } from "./inputs.js";
import { checkMemory } from "./memory.js";
import { type ScatterProblem, scatterOperands } from "./problem.js";
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
  return new ScatterCall(problem, inputs);
}

/** A class, whose getters make what few callers ask for: a decode loop binds two calls for each token. */
class ScatterCall implements BoundScatter {
  readonly problem: ScatterProblem;
  readonly target: Tensor;
  readonly source: Tensor;
  readonly scales: Tensor | undefined;
  readonly slots: Int32Array;
  readonly reads: readonly Tensor[];
  readonly outputs: ScatterOutputs;
  readonly #given: Int32Array;

  constructor(problem: ScatterProblem, inputs: ScatterInputs) {
    this.problem = problem;
    const operands = scatterOperands(problem);
    const last = operands.length - 1;
    const target = takeOperand(operands[0] as OperandSpec, inputs.target);
    const source = takeOperand(operands[last] as OperandSpec, inputs.source);
    this.target = target;
    this.source = source;
    if (last === 2) {
      const scales = takeOperand(operands[1] as OperandSpec, inputs.scales);
      this.scales = scales;
      this.reads = [target, scales, source];
      this.outputs = { target: inputs.target, scales: inputs.scales as Tensor };
    } else {
      this.scales = undefined;
      this.reads = [target, source];
      this.outputs = { target: inputs.target };
    }
    checkMemory(target, source, this.scales);
    this.#given = readSlots(inputs.slots, problem);
    this.slots = wholeRows(problem, this.#given);
  }

  get inputs(): ScatterInputs {
    const { target, source, scales, problem } = this;
    const { paged } = problem;
    return { target, source, slots: this.#given, paged, ...(scales && { scales }) };
  }
}

/** Slots counted over the whole target. */
function wholeRows(problem: ScatterProblem, given: Int32Array): Int32Array {
  const { heads, headDim, targetDType, paged, batch, count, rows } = problem;
  // Without a single element, rows may be more than an int32 counts; there is nothing to write.
  if (heads === 0 || (headDim === 0 && targetDType !== "int8")) {
    return new Int32Array(given.length).fill(-1);
  }
  if (paged || batch < 2) return given;
  const slots = roomForIntegers(given.length);
  for (let b = 0; b < batch; b++) {
    for (let i = b * count; i < (b + 1) * count; i++) {
      const slot = given[i] as number;
      slots[i] = slot === -1 ? -1 : b * rows + slot;
    }
  }
  return sharedIntegers(slots, given.length);
}
