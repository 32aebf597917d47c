import { InvalidInputError } from "../errors.js";
import type { Bound } from "../operation/operation.js";
import { checkProblem } from "../operation/problem.js";
import { readTensor, takeSame } from "../tensor/host-tensor.js";
import type { Tensor } from "../tensor/tensor.js";
import type { RotaryInputs } from "./inputs.js";
import { bindTokenPositions } from "./positions.js";
import type { RotaryProblem } from "./problem.js";
import { frequenciesOf, rotaryTables } from "./tables.js";

/** A call of rotary position embedding with its cosines and sines at hand. */
export interface BoundRotary<T extends Tensor = Tensor> extends Bound<RotaryProblem, RotaryInputs> {
  readonly input: T;
  /** `[tableRows, rotaryDim / 2]`, or `[batch, length, rotaryDim / 2]` with as many rows. */
  readonly cos: T;
  /** As `cos`. */
  readonly sin: T;
  /** `[batch, length]`: the row of the tables that turns a token. */
  readonly rows: Int32Array;
}

/**
 * Resolves a call: whichever way positions and angles were given, every token gets a row of a table.
 *
 * @param inputs a call that `describeRotary` has turned into `problem`
 */
export function bindRotary(problem: RotaryProblem, inputs: RotaryInputs): BoundRotary {
  const { batch, length, rotaryDim, tableDType } = problem;
  const { interleaved } = inputs;
  checkProblem(problem, "rotary");
  const shape = [batch, problem.heads, length, problem.headDim];
  const input = takeSame("input", inputs.input, shape, problem.dtype);
  const tokens = batch * length;
  let cos: Tensor;
  let sin: Tensor;
  let rows: Int32Array;
  if (inputs.cos !== undefined && inputs.sin !== undefined) {
    cos = readTensor("cos", inputs.cos);
    sin = takeSame("sin", inputs.sin, cos.shape, tableDType);
    const table = cos.shape.length === 3 ? [batch, length] : [problem.tableRows];
    cos = takeSame("cos", cos, [...table, rotaryDim / 2], tableDType);
    rows = cos.shape.length === 3 ? range(tokens) : eachToken(inputs, batch, length);
    // Again, on the copy: the caller's array may have changed since it was described.
    if (!rows.every((row) => row >= 0 && row < problem.tableRows)) {
      const expected = `positions from 0 to ${problem.tableRows - 1}, the rows of cos`;
      throw new InvalidInputError("positions", expected, "others");
    }
  } else {
    const frequencies =
      inputs.theta !== undefined
        ? frequenciesOf(inputs.theta, rotaryDim)
        : Float64Array.from(inputs.inverseFrequencies as ArrayLike<number>);
    const { values, shared } = bindTokenPositions(inputs, batch, length);
    const asDescribed =
      values.length === problem.tableRows &&
      frequencies.length === rotaryDim / 2 &&
      tableDType !== "float16";
    if (!asDescribed) {
      throw new InvalidInputError(
        "inputs",
        `${tableDType} angles of ${problem.tableRows} positions and ${rotaryDim / 2} pairs, as the problem says`,
        `angles of ${values.length} positions and ${frequencies.length} pairs, to be computed`,
      );
    }
    ({ cos, sin } = rotaryTables(frequencies, values, tableDType));
    rows = shared ? repeat(range(length), batch) : range(tokens);
  }
  // The same call by its tables: what a table is looked up by stands in `rows`.
  const perToken = cos.shape.length === 3;
  const call: RotaryInputs = {
    input,
    cos,
    sin,
    ...(!perToken && { positions: rows }),
    rotaryDim,
    ...(interleaved !== undefined && { interleaved }),
  };
  return { problem, input, cos, sin, rows, reads: [input, cos, sin], inputs: call };
}

/** The position of each token of each batch. */
function eachToken(inputs: RotaryInputs, batch: number, length: number): Int32Array {
  const { values, shared } = bindTokenPositions(inputs, batch, length);
  return shared ? repeat(values, batch) : values;
}

function range(count: number): Int32Array {
  return Int32Array.from({ length: count }, (_, i) => i);
}

function repeat(values: Int32Array, times: number): Int32Array {
  const all = new Int32Array(values.length * times);
  for (let i = 0; i < times; i++) all.set(values, i * values.length);
  return all;
}
