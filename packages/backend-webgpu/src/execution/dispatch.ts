import type { Capabilities } from "../capabilities.js";
import type { Kernel } from "../wgsl/kernel.js";
import type { BoundWindow, Step } from "./steps.js";

/** Workgroups of a kernel on one region. */
export interface Work {
  readonly kernel: Kernel;
  /** Parameters that are not 0. */
  readonly params: Readonly<Record<string, number>>;
  readonly windows: readonly BoundWindow[];
  readonly workgroups: number;
  /** Rough number of operations of a workgroup. */
  readonly operations: number;
}

/**
 * Operations that one dispatch may take. Drivers reset a GPU that works on one thing for two seconds
 * (Windows' TDR) or less; a slow one does 10^11 a second. Software adapters, which nothing resets, have no smaller
 * limit: at the end of each dispatch all cores wait for the slowest, which counts the more the fewer tiles a mask leaves.
 */
const mostOperations = 1e10;

/** Dispatches of workgroups, no more at a time than a driver has patience for, and about as many in each. */
export function dispatch(work: Work, { limits }: Pick<Capabilities, "limits">): Step[] {
  const { kernel, params, windows, workgroups, operations } = work;
  const most = Math.max(1, Math.floor(mostOperations / operations));
  const each = Math.ceil(workgroups / Math.ceil(workgroups / most));
  const steps: Step[] = [];
  for (let first = 0; first < workgroups; first += each) {
    const end = Math.min(workgroups, first + each);
    steps.push({
      kernel,
      params: { ...kernel.params.zero, ...params, firstWorkgroup: first, workgroups: end },
      windows,
      grid: fold(end - first, limits.maxComputeWorkgroupsPerDimension),
      work: (end - first) * operations,
    });
  }
  return steps;
}

/** A number of workgroups as a grid; the last row and slab may have more than are needed. */
export function fold(count: number, most: number): [number, number, number] {
  const x = Math.min(count, most);
  const y = Math.min(Math.ceil(count / x), most);
  return [x, y, Math.ceil(count / (x * y))];
}
