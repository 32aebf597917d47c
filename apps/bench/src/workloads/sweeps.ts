import { completeShape, generated, type PartialShape } from "./generated.js";
import { formatShape } from "./shape.js";
import type { SeriesAxis, Suite, Workload } from "./workload.js";

interface Sweep {
  readonly suite: Suite;
  readonly title: string;
  readonly axis: SeriesAxis;
  readonly sizes: readonly number[];
  shape(size: number): PartialShape;
}

const source = "a sweep: one size varies, the others are those of common models";

/**
 * Sweeps that show how cost depends on each size. Lengths range from those at which a call's fixed
 * costs dominate to those at which they are negligible; crossovers between backends lie in between.
 */
const sweeps: readonly Sweep[] = [
  {
    suite: "sweep-length",
    title: "prefill",
    axis: "length",
    sizes: [16, 32, 64, 128, 256, 512, 1024, 2048],
    shape: (length) => ({ queryHeads: 8, queryLength: length, headDim: 64 }),
  },
  {
    suite: "sweep-cache",
    title: "decode",
    axis: "cache",
    sizes: [128, 256, 512, 1024, 2048, 4096, 8192],
    shape: (cache) => ({
      queryHeads: 32,
      kvHeads: 8,
      queryLength: 1,
      keyLength: cache,
      headDim: 64,
    }),
  },
  {
    suite: "sweep-head-size",
    title: "prefill of 512",
    axis: "head size",
    sizes: [32, 40, 64, 80, 96, 128, 192, 256],
    shape: (headDim) => ({ queryHeads: 4, queryLength: 512, headDim }),
  },
  {
    suite: "sweep-heads",
    title: "prefill of 256",
    axis: "heads",
    sizes: [1, 2, 4, 8, 16, 32],
    shape: (queryHeads) => ({ queryHeads, queryLength: 256, headDim: 64 }),
  },
  {
    suite: "sweep-batch",
    title: "decode over 1024",
    axis: "batch",
    sizes: [1, 2, 4, 8, 16],
    shape: (batch) => ({
      batch,
      queryHeads: 16,
      kvHeads: 8,
      queryLength: 1,
      keyLength: 1024,
      headDim: 64,
    }),
  },
];

/** Series of shapes in which one size varies. */
export const sweepWorkloads: readonly Workload[] = sweeps.flatMap(
  ({ suite, title, axis, sizes, shape }) =>
    sizes.map((at) =>
      generated({
        id: `${suite}-${at}`,
        title: `${title}, ${axis} ${at}: ${formatShape(completeShape(shape(at)))}`,
        source,
        suite,
        series: { name: `${title} by ${axis}`, axis, at },
        shape: shape(at),
      }),
    ),
);
