import type { BenchReport } from "../report/report.js";
import { rowsOf } from "../report/rows.js";

/** A result in the roofline model (Williams et al., 2009). */
export interface RooflinePoint {
  readonly contender: string;
  readonly case: string;
  /** Operations for each byte that has to move. */
  readonly intensity: number;
  readonly gflops: number;
  /** Throughput as a fraction of the roof at this intensity; null without a roof. */
  readonly fraction: number | null;
}

/** Measured peak arithmetic throughput and memory bandwidth of an environment's machine. */
export interface Roof {
  readonly environment: string;
  readonly threads: number;
  readonly gflops: number;
  readonly gbps: number;
}

export interface Roofline {
  readonly points: readonly RooflinePoint[];
  readonly roofs: readonly Roof[];
}

export function rooflineOf(report: BenchReport): Roofline {
  return {
    points: rowsOf(report).flatMap(({ report: c, result, numbers }) =>
      numbers === null || c.flops === 0
        ? []
        : [
            {
              contender: result.contender,
              case: c.id,
              intensity: c.flops / c.bytes,
              gflops: numbers.gflops,
              fraction: numbers.fraction?.fraction ?? null,
            },
          ],
    ),
    roofs: report.environments.flatMap(({ name, ceiling }) =>
      ceiling
        ? [
            {
              environment: name,
              threads: ceiling.threads,
              gflops: Math.max(...ceiling.arithmetic.map(({ gflops }) => gflops)),
              gbps: ceiling.readGBps,
            },
          ]
        : [],
    ),
  };
}

/** Highest throughput that a roof allows at an intensity (operations a byte), in GFLOP/s. */
export function roofAt({ gflops, gbps }: Pick<Roof, "gflops" | "gbps">, intensity: number): number {
  return Math.min(gflops, gbps * intensity);
}
