import { describeProblem } from "../attention/describe.js";
import type { AttentionInputs, AttentionOutputs } from "../attention/inputs.js";
import type { AttentionProblem } from "../attention/problem.js";
import { referenceAttention } from "../attention/reference.js";
import { BackendUnavailableError } from "../errors.js";
import type { AttentionBackend } from "../operation/backend.js";
import type { FloatDType } from "../tensor/dtype.js";
import { isDeviceTensor } from "../tensor/host-tensor.js";
import { type HostTensor, type Tensor, tensor } from "../tensor/tensor.js";
import { fromFloat64, toFloat64 } from "../tensor/values.js";

/**
 * Bounds on |got − expected| that a working backend stays far below on these problems, whose
 * results are of magnitude 1, and that a broken one (wrong key skipped, wrong subgroup size) passes
 * by far. Not the conformance suite's budgets: here only "computes nonsense on this device" counts.
 */
const bounds: Readonly<Record<FloatDType, number>> = {
  float64: 1e-4,
  float32: 1e-4,
  float16: 2e-2,
};

/**
 * Runs tiny problems and compares with the reference: a driver or a runtime that breaks one backend
 * only must not pass unnoticed. Problems that the backend refuses are left out.
 *
 * @throws BackendUnavailableError where the backend fails or computes wrong numbers
 */
export async function selfTest(backend: AttentionBackend): Promise<void> {
  for (const dtype of ["float32", "float16", "float64"] as const) {
    for (const [i, inputs] of selfTestInputs(dtype).entries()) {
      const problem = describeProblem(inputs);
      if (backend.supports(problem).ok) await testOne(backend, problem, inputs, expectedOf(i));
    }
  }
}

/** Outputs of the reference in float64, compared with every dtype's; computed once, when first needed. */
let references: readonly AttentionOutputs<HostTensor>[] | null = null;

function expectedOf(index: number): AttentionOutputs<HostTensor> {
  references ??= selfTestInputs("float64").map(referenceAttention);
  return references[index] as AttentionOutputs<HostTensor>;
}

async function testOne(
  backend: AttentionBackend,
  problem: AttentionProblem,
  inputs: AttentionInputs<HostTensor>,
  expected: AttentionOutputs<HostTensor>,
): Promise<void> {
  const { dtype } = problem;
  let worst = 0;
  try {
    const plan = await backend.plan(problem);
    try {
      const got = await plan.run(inputs);
      for (const name of ["output", "logSumExp"] as const) {
        const want = expected[name];
        if (want) worst = Math.max(worst, await distance(got[name], want));
      }
    } finally {
      plan.dispose();
    }
  } catch (cause) {
    throw new BackendUnavailableError(
      `self-test failed on a small ${dtype} problem: ${cause instanceof Error ? cause.message : String(cause)}`,
      undefined,
      { cause },
    );
  }
  if (worst > bounds[dtype]) {
    throw new BackendUnavailableError(
      `self-test found wrong numbers on a small ${dtype} problem: off by ${worst.toExponential(1)} where at most ${bounds[dtype]} is tolerated`,
      "this device or runtime computes attention wrongly with this backend",
    );
  }
}

async function distance(got: Tensor | undefined, want: HostTensor): Promise<number> {
  if (got === undefined) return Number.POSITIVE_INFINITY;
  const values = toFloat64(isDeviceTensor(got) ? await got.read() : got);
  const expected = toFloat64(want);
  if (values.length !== expected.length) return Number.POSITIVE_INFINITY;
  let worst = 0;
  for (let i = 0; i < values.length; i++) {
    const error = Math.abs((values[i] as number) - (expected[i] as number));
    // Equal infinities give NaN and are right; any other NaN is wrong.
    if (Number.isNaN(error)) {
      if (!Object.is(values[i], expected[i])) return Number.POSITIVE_INFINITY;
    } else worst = Math.max(worst, error);
  }
  return worst;
}

/**
 * Full attention; then grouped heads, more keys than one tile of 8 or 16, causal, with a mask. Every
 * element is a multiple of 1/512 below 1, which each dtype holds exactly.
 */
function selfTestInputs(dtype: FloatDType): AttentionInputs<HostTensor>[] {
  const filled = (shape: readonly number[], seed: number): HostTensor => {
    const count = shape.reduce((a, b) => a * b, 1);
    // A quasi-random sequence: no two rows alike, no random generator needed.
    const values = new Float64Array(count);
    for (let i = 0; i < count; i++) {
      values[i] = Math.floor(1024 * (((i + seed) * 0.6180339887498949) % 1)) / 512 - 1;
    }
    return fromFloat64(values, shape, dtype);
  };
  return [
    {
      query: filled([1, 2, 3, 8], 1),
      key: filled([1, 2, 5, 8], 2),
      value: filled([1, 2, 5, 8], 3),
    },
    {
      query: filled([2, 4, 5, 16], 4),
      key: filled([2, 2, 37, 16], 5),
      value: filled([2, 2, 37, 12], 6),
      causal: true,
      queryOffset: "bottom-right",
      mask: tensor(
        Array.from({ length: 2 * 37 }, (_, i) => i % 5 !== 0),
        [2, 1, 1, 37],
      ),
      returns: { logSumExp: true },
    },
  ];
}
