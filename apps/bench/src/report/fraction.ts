import type { CaseReport, CeilingReport, Timed } from "./report.js";

/** A result as a fraction of the machine's measured peak. */
export interface CeilingFraction {
  readonly fraction: number;
  /** The resource that limits such a case: the multiply-add units, or memory bandwidth. */
  readonly limit: "arithmetic" | "memory";
}

/**
 * The roofline model (Williams et al., 2009): a case cannot take less than its operations at the
 * arithmetic ceiling, nor less than its bytes at the memory's; the larger of the two is the least
 * time there is. Can exceed 1 where the data stay in a cache, or on another processor than the
 * ceiling's (a GPU; native code with wider vectors).
 */
export function ceilingFraction(
  { flops, bytes }: Pick<CaseReport, "flops" | "bytes">,
  { timing }: Pick<Timed, "timing">,
  ceiling: CeilingReport,
): CeilingFraction {
  const best = Math.max(...ceiling.arithmetic.map(({ gflops }) => gflops));
  const computing = flops / best / 1e6;
  const reading = bytes / ceiling.readGBps / 1e6;
  return computing >= reading
    ? { fraction: computing / timing.median, limit: "arithmetic" }
    : { fraction: reading / timing.median, limit: "memory" };
}
