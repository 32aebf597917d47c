import { describeProblem } from "../attention/describe.js";
import type { AttentionInputs, AttentionOutputs } from "../attention/inputs.js";
import type { AttentionProblem } from "../attention/problem.js";
import { unavailableReason } from "../backend-error.js";
import { BackendUnavailableError, isHeedError, messageOf, type SupportReason } from "../errors.js";
import type { AttentionBackend, AttentionPlan } from "../operation/backend.js";
import type { FloatDType } from "../tensor/dtype.js";
import { isDeviceTensor } from "../tensor/host-tensor.js";
import type { HostTensor, Tensor } from "../tensor/tensor.js";
import { toFloat64 } from "../tensor/values.js";
import { expectedResults } from "./generated/self-test-expected.js";
import { selfTestCalls } from "./self-test-problems.js";
import type { BackendTest } from "./slot.js";

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

/** The order in which a loading backend is asked for a dtype to be tested in. */
const dtypes: readonly FloatDType[] = ["float32", "float16", "float64"];

/**
 * Compares a backend on tiny problems of attention with recorded results of the reference: a driver or
 * a runtime that breaks one backend only must not pass unnoticed. Each dtype is tested once, before
 * the first call that has it, since code that runs for the first time is slow. Problems that the
 * backend refuses are left out.
 */
export class SelfTest implements BackendTest {
  readonly #backend: AttentionBackend;
  /** One a dtype, from when its test starts. It resolves with the dtype's entry of {@link #failures}. */
  readonly #tests = new Map<FloatDType, Promise<SupportReason | null>>();
  /** Finished tests; null is a test that was passed. */
  readonly #failures = new Map<FloatDType, SupportReason | null>();

  constructor(backend: AttentionBackend) {
    this.#backend = backend;
  }

  /**
   * Tests one dtype, the first that the backend computes: float32 in most cases.
   *
   * @throws BackendUnavailableError if the backend fails or computes wrong numbers
   */
  async load(): Promise<void> {
    for (const dtype of dtypes) {
      const calls = this.#accepted(dtype);
      if (calls.length === 0) continue;
      await testAll(this.#backend, calls, dtype);
      this.#failures.set(dtype, null);
      return;
    }
  }

  /** Why the backend must not run calls that have these dtypes, as far as they were tested; null if it may. */
  failure(of: readonly FloatDType[]): SupportReason | null {
    for (const dtype of of) {
      const failure = this.#failures.get(dtype);
      if (failure) return failure;
    }
    return null;
  }

  /** Tests those dtypes that have not been tested yet. Resolves as {@link failure}; never rejects. */
  async complete(of: readonly FloatDType[]): Promise<SupportReason | null> {
    for (const dtype of of) {
      if (this.#failures.has(dtype)) continue;
      let test = this.#tests.get(dtype);
      if (test === undefined) {
        test = this.#test(dtype);
        this.#tests.set(dtype, test);
      }
      await test;
    }
    return this.failure(of);
  }

  async #test(dtype: FloatDType): Promise<SupportReason | null> {
    let failure: SupportReason | null = null;
    try {
      await testAll(this.#backend, this.#accepted(dtype), dtype);
    } catch (thrown) {
      failure = unavailableReason(thrown);
    }
    this.#failures.set(dtype, failure);
    return failure;
  }

  #accepted(dtype: FloatDType): TestCall[] {
    return selfTestCalls(dtype).flatMap((inputs, index) => {
      const problem = describeProblem(inputs);
      return this.#backend.supports(problem).ok ? [{ problem, inputs, index }] : [];
    });
  }
}

/** A call of the self-test that the backend accepts, and its place among the expected results. */
interface TestCall {
  readonly problem: AttentionProblem;
  readonly inputs: AttentionInputs<HostTensor>;
  readonly index: number;
}

/** @throws BackendUnavailableError */
async function testAll(
  backend: AttentionBackend,
  calls: readonly TestCall[],
  dtype: FloatDType,
): Promise<void> {
  for (const { problem, inputs, index } of calls) {
    let worst: number;
    try {
      worst = await largestError(backend, problem, inputs, index);
    } catch (cause) {
      const message = `self-test failed on a small ${dtype} problem: ${messageOf(cause)}`;
      throw new BackendUnavailableError(message, undefined, { cause });
    }
    if (worst > bounds[dtype]) {
      throw new BackendUnavailableError(
        `self-test found wrong numbers on a small ${dtype} problem: off by ${worst.toExponential(1)} where at most ${bounds[dtype]} is tolerated`,
        "this device or runtime computes attention wrongly with this backend",
      );
    }
  }
}

async function largestError(
  backend: AttentionBackend,
  problem: AttentionProblem,
  inputs: AttentionInputs<HostTensor>,
  index: number,
): Promise<number> {
  const plan = await backend.plan(problem);
  try {
    const got = await runAnywhere(backend, plan, inputs);
    let worst = 0;
    try {
      for (const name of ["output", "logSumExp"] as const) {
        const expected = expectedResults[index]?.[name];
        if (expected) worst = Math.max(worst, await distance(got[name], expected));
      }
    } finally {
      for (const t of Object.values(got)) if (isDeviceTensor(t)) t.dispose();
    }
    return worst;
  } finally {
    plan.dispose();
  }
}

/** Runs a call; where the backend computes on tensors in its own memory alone, after copying keys and values there. */
async function runAnywhere(
  backend: AttentionBackend,
  plan: AttentionPlan,
  inputs: AttentionInputs<HostTensor>,
): Promise<AttentionOutputs> {
  try {
    return await plan.run(inputs);
  } catch (thrown) {
    const { memory } = backend;
    if (memory === undefined || !isHeedError(thrown, "unsupported")) throw thrown;
    const key = await memory.upload(inputs.key);
    const value = await memory.upload(inputs.value);
    try {
      return await plan.run({ ...inputs, key, value });
    } finally {
      key.dispose();
      value.dispose();
    }
  }
}

/** @returns the largest |got − expected|; Infinity for NaN, another number of elements, or nothing */
async function distance(got: Tensor | undefined, expected: readonly number[]): Promise<number> {
  if (got === undefined) return Number.POSITIVE_INFINITY;
  const values = toFloat64(isDeviceTensor(got) ? await got.read() : got);
  if (values.length !== expected.length) return Number.POSITIVE_INFINITY;
  let worst = 0;
  for (let i = 0; i < values.length; i++) {
    const error = Math.abs((values[i] as number) - (expected[i] as number));
    if (Number.isNaN(error)) return Number.POSITIVE_INFINITY;
    worst = Math.max(worst, error);
  }
  return worst;
}
