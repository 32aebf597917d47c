import { attend } from "./attention/attend";
import { exp2 } from "./math/exp2";
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

/** 2^x of `count` float32, a multiple of four, in place: so that its error can be measured. */
export function exp2All(values: usize, count: i32): void {
  for (let p = values; p < values + 4 * <usize>count; p += 16) v128.store(p, exp2(v128.load(p)));
}

/** tanh of `count` float32, a multiple of four, in place: so that its error can be measured. */
export function tanhAll(values: usize, count: i32): void {
  for (let p = values; p < values + 4 * <usize>count; p += 16) v128.store(p, tanh(v128.load(p)));
}
