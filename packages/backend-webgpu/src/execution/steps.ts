import type { TensorLayout } from "@heed/core";
import type { Kernel } from "../wgsl/kernel.js";

/** Bytes of a buffer that a kernel's binding shows. */
export interface BoundWindow {
  /** Name of the buffer; null: nothing is read or written, and any buffer does. */
  readonly buffer: string | null;
  readonly start: number;
  /** null: to the buffer's end. */
  readonly size: number | null;
}

/** One dispatch. */
export interface Step {
  readonly kernel: Kernel;
  /** Every parameter of the kernel. */
  readonly params: Readonly<Record<string, number>>;
  /** In the order of the kernel's bindings, without `rules`. */
  readonly windows: readonly BoundWindow[];
  readonly grid: readonly [number, number, number];
  /** Roughly how many operations it takes. */
  readonly work: number;
}

/** Dispatches in order, of a whole run or of a stage of it. */
export interface Schedule {
  readonly steps: readonly Step[];
  /** Bytes of each buffer that is needed beside inputs and outputs, by name. */
  readonly workspace: ReadonlyMap<string, number>;
}

/** Layouts of the tensors that a run reads, by name. */
export type Layouts = ReadonlyMap<string, TensorLayout>;

/** Key of layouts: equal where schedules of one problem are. Axes of size 1 have no stride that counts. */
export function layoutKey(layouts: Layouts): string {
  return [...layouts]
    .map(([name, { shape, strides, offset }]) => {
      const counting = strides.map((stride, axis) => (shape[axis] === 1 ? 0 : stride));
      return `${name} ${offset} ${counting.join()}`;
    })
    .join("; ");
}

/** Bytes of a schedule's workspace together. */
export function workspaceBytes({ workspace }: Schedule): number {
  return [...workspace.values()].reduce((a, b) => a + b, 0);
}

/** Stages one after another; null if one of them is. */
export function joinStages(stages: readonly (Schedule | null)[]): Schedule | null {
  if (stages.includes(null)) return null;
  const all = stages as readonly Schedule[];
  return {
    steps: all.flatMap(({ steps }) => steps),
    workspace: new Map(all.flatMap(({ workspace }) => [...workspace])),
  };
}
