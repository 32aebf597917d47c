import { checkFloat } from "../attention/validation/sizes.js";
import { InvalidInputError } from "../errors.js";
import { ProblemTable } from "../operation/problem-table.js";
import { checkNames, flag } from "../options.js";
import type { FloatDType } from "../tensor/dtype.js";
import { readTensor } from "../tensor/host-tensor.js";
import { sameShape } from "../tensor/layout.js";
import type { Tensor } from "../tensor/tensor.js";
import type { ScatterInputs } from "./inputs.js";
import { checkMemory } from "./memory.js";
import { type ScatterProblem, scatterKey } from "./problem.js";
import { checkSlots } from "./slots.js";

const inputNames: ReadonlySet<string> = new Set(["target", "source", "slots", "scales", "paged"]);
const targetDTypes: readonly (FloatDType | "int8")[] = ["float64", "float32", "float16", "int8"];
const problems = new ProblemTable<ScatterProblem>(9);

/**
 * Validates a call of scatter and derives its canonical problem, which has no slots in it.
 *
 * @throws InvalidInputError naming the argument at fault
 * @throws DisposedError naming a device tensor that was disposed
 */
export function describeScatter(inputs: ScatterInputs): ScatterProblem {
  checkNames("inputs", inputs, inputNames);
  const target = readTensor("target", inputs.target);
  const source = readTensor("source", inputs.source);
  const targetDType = target.dtype as FloatDType | "int8";
  if (!targetDTypes.includes(targetDType)) {
    throw new InvalidInputError("target", "dtype float64, float32, float16 or int8", target.dtype);
  }
  const sourceDType = checkFloat("source", source);
  checkAxes("target", target, "[batch or pages, heads, rows, headDim]");
  checkAxes("source", source, "[batch, heads, n, headDim]");
  // By index: a decode loop comes here for each token, and destructuring makes iterators.
  const entries = target.shape[0] as number;
  const heads = target.shape[1] as number;
  const rows = target.shape[2] as number;
  const headDim = target.shape[3] as number;
  const batch = source.shape[0] as number;
  const count = source.shape[2] as number;
  if (source.shape[1] !== heads || source.shape[3] !== headDim) {
    throw new InvalidInputError(
      "source",
      `the target's heads and headDim, [batch, ${heads}, n, ${headDim}]`,
      show(source.shape),
    );
  }
  const paged = inputs.paged === undefined ? entries !== batch : flag("paged", inputs.paged);
  if (!paged && entries !== batch) {
    throw new InvalidInputError(
      "target",
      `one entry for each of the source's ${batch} batch entries, since it is not paged`,
      `${entries}`,
    );
  }
  const scales = readScales(inputs.scales, targetDType, target);
  checkMemory(target, source, scales);
  checkSlots(inputs.slots, batch, count, entries, rows, paged);

  const { signature } = problems;
  signature[0] = batch;
  signature[1] = heads;
  signature[2] = count;
  signature[3] = headDim;
  signature[4] = entries;
  signature[5] = rows;
  signature[6] = paged ? 1 : 0;
  signature[7] = targetDTypes.indexOf(sourceDType);
  signature[8] = targetDTypes.indexOf(targetDType);
  return problems.find(problemOfSignature);
}

/** The problem whose signature was just written, in the order of {@link describeScatter}. */
function problemOfSignature(): ScatterProblem {
  // As integers: V8 keeps what it reads from a Float64Array as doubles.
  const [batch, heads, count, headDim, entries, rows, paged, source, target] = Array.from(
    problems.signature,
    (value) => value | 0,
  ) as [number, number, number, number, number, number, number, number, number];
  const problem = {
    batch,
    heads,
    count,
    headDim,
    entries,
    rows,
    paged: paged === 1,
    sourceDType: targetDTypes[source] as FloatDType,
    targetDType: targetDTypes[target] as FloatDType | "int8",
  };
  return Object.freeze({ operation: "scatter", key: scatterKey(problem), ...problem });
}

function readScales(
  given: Tensor | undefined,
  targetDType: string,
  target: Tensor,
): Tensor | undefined {
  if (targetDType !== "int8") {
    if (given === undefined) return undefined;
    throw new InvalidInputError("scales", `nothing beside a target of ${targetDType}`, "scales");
  }
  const scales = readTensor("scales", given);
  if (scales.dtype !== "float32") {
    throw new InvalidInputError("scales", "dtype float32", scales.dtype);
  }
  const shape = target.shape.slice(0, 3);
  if (!sameShape(scales.shape, shape)) {
    throw new InvalidInputError(
      "scales",
      `shape [batch or pages, heads, rows] = ${show(shape)}`,
      show(scales.shape),
    );
  }
  return scales;
}

function checkAxes(argument: string, { shape }: Tensor, expected: string): void {
  if (shape.length === 4) return;
  throw new InvalidInputError(argument, `shape ${expected}`, show(shape));
}

function show(shape: readonly number[]): string {
  return `[${shape.join(", ")}]`;
}
