import { attend } from "./attention/attend";
import { exp } from "./math/exp";
import { exp2, log2 } from "./math/exp2";
import { expAny, logAny } from "./math/natural";
import { tanh } from "./math/tanh";
import { jobMark } from "../src/shared/projection";
import { project } from "./projection/project";
import { finishItem, jobDescriptor, jobWorkspace, takeItem } from "./threads/share";

export { attend, merge, tileElements } from "./attention/attend";
export { mergeParts } from "./merge/merge";
export { project } from "./projection/project";
export { normalise } from "./rms-norm/normalise";
export { rotate } from "./rotary/rotate";
export { sampleBytes, sampleTile, sampleWork } from "./tiles/sample";

/** Takes items of the shared job until none is left: see src/shared/control.ts. */
export function share(thread: i32): void {
  let item = takeItem(thread);
  while (item >= 0) {
    const job = jobDescriptor();
    if (job & jobMark) project(job - jobMark, jobWorkspace(thread), item);
    else attend(job, jobWorkspace(thread), item);
    finishItem();
    item = takeItem(thread);
  }
}

/**
 * A function of every vector of `bytes` bytes, in place, so that its error can be measured: by number, 2^x, tanh, e^x and
 * ln x of float32; e^x and log₂ x of float64.
 */
export function evaluate(which: i32, values: usize, bytes: i32): void {
  for (let p = values; p < values + <usize>bytes; p += 16) v128.store(p, evaluated(which, v128.load(p)));
}

function evaluated(which: i32, x: v128): v128 {
  if (which == 0) return exp2(x);
  if (which == 1) return tanh(x);
  if (which == 2) return expAny(x);
  if (which == 3) return logAny(x);
  const first = f64x2.extract_lane(x, 0);
  const second = f64x2.extract_lane(x, 1);
  return which == 4 ? f64x2(exp(first), exp(second)) : f64x2(log2(first), log2(second));
}
