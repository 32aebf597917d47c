import { checkFloat } from "../attention/validation/sizes.js";
import { describeValue, InvalidInputError } from "../errors.js";
import { ProblemTable } from "../operation/problem-table.js";
import { checkNames, flag, isList } from "../options.js";
import type { FloatDType } from "../tensor/dtype.js";
import { checkTensor } from "../tensor/host-tensor.js";
import type { Tensor } from "../tensor/tensor.js";
import { typedArrayName } from "../tensor/typed-array.js";
import { toFloat64 } from "../tensor/values.js";
import type { RotaryInputs } from "./inputs.js";
import { checkPositions, isInt32Array } from "./positions.js";
import { type RotaryProblem, rotaryKey } from "./problem.js";

const inputNames: ReadonlySet<string> = new Set([
  "input",
  "positions",
  "offset",
  "cos",
  "sin",
  "theta",
  "inverseFrequencies",
  "rotaryDim",
  "interleaved",
]);

const floats: readonly FloatDType[] = ["float64", "float32", "float16"];
const problems = new ProblemTable<RotaryProblem>(9);

/**
 * Validates a call of rotary position embedding and derives its canonical problem.
 *
 * @throws InvalidInputError naming the argument at fault
 * @throws DisposedError naming a device tensor that was disposed
 */
export function describeRotary(inputs: RotaryInputs): RotaryProblem {
  checkNames("inputs", inputs, inputNames);
  const { input, positions, offset } = inputs;
  checkTensor("input", input);
  const dtype = checkFloat("input", input);
  if (input.shape.length !== 4) {
    throw new InvalidInputError(
      "input",
      "shape [batch, heads, length, headDim]",
      `[${input.shape.join(", ")}]`,
    );
  }
  const [batch, heads, length, headDim] = input.shape as [number, number, number, number];
  const rotaryDim = readRotaryDim(inputs.rotaryDim, headDim);
  const interleaved = flag("interleaved", inputs.interleaved);
  checkPositions(inputs, batch, length);
  const source = onlySource(inputs);
  let tableRows: number;
  let tableDType: FloatDType = dtype === "float64" ? "float64" : "float32";
  if (source === "cos") {
    const { cos, sin } = inputs as Required<RotaryInputs>;
    tableRows = checkTables(cos, sin, inputs, [batch, length, rotaryDim / 2], dtype);
    tableDType = cos.dtype as FloatDType;
  } else {
    if (source === "theta") checkTheta(inputs.theta);
    else checkFrequencies(inputs.inverseFrequencies, rotaryDim / 2);
    const shared =
      positions === undefined
        ? offset === undefined || typeof offset === "number"
        : (isInt32Array(positions) ? positions.length : count(positions)) === length;
    tableRows = shared ? length : batch * length;
    checkRange(inputs, length);
  }

  const { signature } = problems;
  signature[0] = batch;
  signature[1] = heads;
  signature[2] = length;
  signature[3] = headDim;
  signature[4] = rotaryDim;
  signature[5] = interleaved ? 1 : 0;
  signature[6] = floats.indexOf(dtype);
  signature[7] = floats.indexOf(tableDType);
  signature[8] = tableRows;
  return problems.find(() => {
    const problem = {
      batch,
      heads,
      length,
      headDim,
      rotaryDim,
      interleaved,
      dtype,
      tableDType,
      tableRows,
    };
    return Object.freeze({ operation: "rotary", key: rotaryKey(problem), ...problem });
  });
}

function count(t: Tensor): number {
  return t.shape.reduce((product, size) => product * size, 1);
}

function readRotaryDim(asked: unknown, headDim: number): number {
  const rotaryDim = asked ?? headDim;
  if (
    !Number.isInteger(rotaryDim) ||
    (rotaryDim as number) < 2 ||
    (rotaryDim as number) > headDim ||
    (rotaryDim as number) % 2 !== 0
  ) {
    throw new InvalidInputError(
      asked === undefined ? "input" : "rotaryDim",
      asked === undefined
        ? "an even head size of at least 2, or rotaryDim"
        : `an even integer from 2 to the head size ${headDim}`,
      describeValue(rotaryDim),
    );
  }
  return rotaryDim as number;
}

/** The one source of cosines and sines that is given. */
function onlySource(inputs: RotaryInputs): "cos" | "theta" | "inverseFrequencies" {
  const { cos, sin, theta, inverseFrequencies } = inputs;
  if ((cos === undefined) !== (sin === undefined)) {
    const missing = cos === undefined ? "cos" : "sin";
    throw new InvalidInputError(missing, "cosines and sines together", "undefined");
  }
  const given = [
    ...(cos !== undefined ? (["cos"] as const) : []),
    ...(theta !== undefined ? (["theta"] as const) : []),
    ...(inverseFrequencies !== undefined ? (["inverseFrequencies"] as const) : []),
  ];
  const [source] = given;
  if (source === undefined || given.length > 1) {
    throw new InvalidInputError(
      given[1] ?? "theta",
      "exactly one of cos and sin, theta, and inverseFrequencies",
      given.length === 0 ? "none of them" : given.join(" and "),
    );
  }
  return source;
}

/** @returns the rows of the tables */
function checkTables(
  cos: Tensor,
  sin: Tensor,
  { positions, offset }: RotaryInputs,
  [batch, length, half]: readonly [number, number, number],
  dtype: FloatDType,
): number {
  checkTensor("cos", cos);
  checkTensor("sin", sin);
  if (cos.dtype !== dtype && cos.dtype !== "float32") {
    throw new InvalidInputError("cos", `the input's dtype ${dtype}, or float32`, cos.dtype);
  }
  if (sin.dtype !== cos.dtype) {
    throw new InvalidInputError("sin", `the dtype of cos, ${cos.dtype}`, sin.dtype);
  }
  const show = (shape: readonly number[]) => `[${shape.join(", ")}]`;
  if (show(sin.shape) !== show(cos.shape)) {
    throw new InvalidInputError("sin", `the shape of cos, ${show(cos.shape)}`, show(sin.shape));
  }
  if (cos.shape.length === 3) {
    if (show(cos.shape) !== show([batch, length, half])) {
      throw new InvalidInputError(
        "cos",
        `shape [batch, length, rotaryDim / 2] = ${show([batch, length, half])}, one row a token`,
        show(cos.shape),
      );
    }
    const beside = positions !== undefined ? "positions" : offset !== undefined ? "offset" : null;
    if (beside !== null) {
      throw new InvalidInputError(
        beside,
        "nothing beside cosines and sines that have one row a token",
        "positions of tokens",
      );
    }
    return batch * length;
  }
  if (cos.shape.length !== 2 || cos.shape[1] !== half) {
    throw new InvalidInputError(
      "cos",
      `shape [maxPosition, rotaryDim / 2] = [maxPosition, ${half}], or one row a token`,
      show(cos.shape),
    );
  }
  const rows = cos.shape[0] as number;
  checkLookups(positions, offset, batch, length, rows);
  return rows;
}

/** Positions index a table: each must be a row of it. */
function checkLookups(
  positions: RotaryInputs["positions"],
  offset: RotaryInputs["offset"],
  batch: number,
  length: number,
  rows: number,
): void {
  const check = (argument: string, position: number): void => {
    if (position < 0 || position >= rows) {
      throw new InvalidInputError(
        argument,
        `positions from 0 to ${rows - 1}, the rows of cos`,
        `${position}`,
      );
    }
  };
  if (batch === 0 || length === 0) return;
  if (positions !== undefined) {
    const values = isInt32Array(positions) ? positions : toFloat64(positions);
    for (const position of values) check("positions", position);
    return;
  }
  const offsets = offset === undefined ? [0] : typeof offset === "number" ? [offset] : offset;
  for (const first of offsets as ArrayLike<number> & Iterable<number>) {
    check("offset", first);
    check("offset", first + length - 1);
  }
}

/** The last position must be a 32-bit integer, too. */
function checkRange({ offset }: RotaryInputs, length: number): void {
  if (offset === undefined) return;
  const offsets = typeof offset === "number" ? [offset] : offset;
  for (const first of offsets as ArrayLike<number> & Iterable<number>) {
    if (first + length - 1 > 2 ** 31 - 1) {
      throw new InvalidInputError("offset", "positions of at most 2^31 − 1", `${first}`);
    }
  }
}

function checkTheta(theta: unknown): void {
  if (!Number.isFinite(theta) || (theta as number) <= 0) {
    throw new InvalidInputError("theta", "a finite number > 0", describeValue(theta));
  }
}

function checkFrequencies(values: unknown, half: number): void {
  const kind = typedArrayName(values);
  if (kind !== "Float64Array" && kind !== "Float32Array" && !isList(values)) {
    throw new InvalidInputError(
      "inverseFrequencies",
      "a Float64Array, a Float32Array or an array of numbers",
      describeValue(values),
    );
  }
  const list = values as ArrayLike<unknown>;
  if (list.length !== half) {
    throw new InvalidInputError(
      "inverseFrequencies",
      `${half} numbers, one for each pair`,
      `${describeValue(list.length)} of them`,
    );
  }
  for (let i = 0; i < half; i++) {
    if (!Number.isFinite(list[i])) {
      throw new InvalidInputError("inverseFrequencies", "finite numbers", describeValue(list[i]));
    }
  }
}
