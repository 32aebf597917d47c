import type { AttentionProblem, Problem } from "@heed/core";
import type { Candidate } from "@heed/core/select";

/** The expected cost of a call on a backend, before any was seen. */
interface Cost {
  /** Milliseconds of a call that computes next to nothing. */
  readonly fixed: number;
  /** Floating-point operations, in 10⁹ a second. */
  readonly gigaflops: number;
  /** Bytes in and out, in 10⁹ a second. */
  readonly gigabytes: number;
  /** Whether keys that causal or a window hides from some queries are computed like the others. */
  readonly hiddenKeys: boolean;
  /** Whether keys that they hide from all queries are copied like the others. */
  readonly unseenKeys: boolean;
}

/**
 * Rough costs by backend, on one thread, from the benchmark's model cases on a server's CPU (the table in
 * the repository's README) and, for webgpu, of a small GPU. They only decide what is worth a try: seen
 * calls correct them, see {@link CostModel}.
 */
const costs: Readonly<Record<string, Cost>> = {
  js: { fixed: 0.004, gigaflops: 3.5, gigabytes: 2, hiddenKeys: false, unseenKeys: false },
  wasm: { fixed: 0.012, gigaflops: 30, gigabytes: 8, hiddenKeys: false, unseenKeys: false },
  onnx: { fixed: 0.12, gigaflops: 50, gigabytes: 4, hiddenKeys: true, unseenKeys: false },
  webgpu: { fixed: 1, gigaflops: 1000, gigabytes: 2, hiddenKeys: false, unseenKeys: true },
};

/** Sums over classes of problems of ln(seen / expected), and of its square. */
interface Correction {
  readonly count: number;
  readonly sum: number;
  readonly squares: number;
}

/** Classes of problems that tell how far expectations of a backend are apart from what is seen. */
const classesOfSpread = 3;

/** Estimates of what calls take, corrected by calls that were seen. */
export class CostModel {
  /** By backend and class: ln(seen / expected). */
  readonly #seen = new Map<string, number>();
  /** By backend. */
  readonly #corrections = new Map<string, Correction>();

  /**
   * Notes the time of a class of problems on a backend, in place of what was noted of it before.
   *
   * @param kind name of the class
   */
  correct(kind: string, problem: Problem, candidate: Candidate, milliseconds: number): void {
    const expected = uncorrected(problem, candidate);
    if (!(expected > 0 && Number.isFinite(expected) && milliseconds > 0)) return;
    const key = `${candidate.name} ${kind}`;
    const before = this.#seen.get(key);
    const now = Math.log(milliseconds / expected);
    this.#seen.set(key, now);
    const { count, sum, squares } = this.#correction(candidate);
    this.#corrections.set(candidate.name, {
      count: before === undefined ? count + 1 : count,
      sum: sum + now - (before ?? 0),
      squares: squares + now ** 2 - (before ?? 0) ** 2,
    });
  }

  /**
   * Expected milliseconds of a call; infinite for a backend or an operation that nothing is known about. A
   * backend that has not run yet is corrected as the others were: the machine is as fast for all.
   */
  expect(problem: Problem, candidate: Candidate): number {
    const own = this.#corrections.get(candidate.name);
    const of = own === undefined ? [...this.#corrections.values()] : [own];
    const means = of.map(({ sum, count }) => sum / count);
    const mean = means.length === 0 ? 0 : means.reduce((a, b) => a + b) / means.length;
    return Math.exp(mean) * uncorrected(problem, candidate);
  }

  /**
   * Milliseconds that a call may take at best: what is expected, less a standard deviation of what was seen from what
   * was expected, where enough was seen of the backend.
   */
  atBest(problem: Problem, candidate: Candidate): number {
    const { count, sum, squares } = this.#correction(candidate);
    const expected = this.expect(problem, candidate);
    if (count < classesOfSpread) return expected;
    return Math.exp(-Math.sqrt(Math.max(0, squares - sum ** 2 / count) / (count - 1))) * expected;
  }

  #correction({ name }: Candidate): Correction {
    return this.#corrections.get(name) ?? { count: 0, sum: 0, squares: 0 };
  }
}

function uncorrected(problem: Problem, { name, info }: Candidate): number {
  const cost = costs[name];
  if (cost === undefined || problem.operation !== "attention") return Number.POSITIVE_INFINITY;
  const { flops, bytes } = roughWork(problem as AttentionProblem, cost);
  const threads = Math.max(1, 0.8 * (info?.threads ?? 1));
  return cost.fixed + flops / (1e6 * cost.gigaflops * threads) + bytes / (1e6 * cost.gigabytes);
}

/** Work of a call without its data, as if each query saw all keys that its rules may leave. */
function roughWork(
  p: AttentionProblem,
  { hiddenKeys, unseenKeys }: Cost,
): { readonly flops: number; readonly bytes: number } {
  const { batch, queryHeads, kvHeads, queryLength, keyLength, headDim, valueDim } = p;
  const { left, right } = p.window ?? { left: null, right: null };
  const span = left === null ? keyLength : left + 1 + (p.causal ? 0 : (right ?? keyLength));
  const half = p.causal && queryLength > 1 ? 0.5 : 1;
  const seenByAny = Math.min(span + queryLength - 1, keyLength);
  const keys = hiddenKeys ? seenByAny : Math.min(span, keyLength * half);
  const sizes = headDim + valueDim;
  const rows = queryHeads * queryLength + kvHeads * (unseenKeys ? keyLength : seenByAny);
  return {
    flops: 2 * batch * queryHeads * queryLength * keys * sizes,
    bytes: 4 * batch * sizes * rows,
  };
}
