import type { Fragment } from "./emit.js";

/** Invocations of a kernel that has one for each element. */
export const linearThreads: number = 64;

/** The element that an invocation has, where workgroups are numbered as in a grid. */
export const linearFragment: Fragment = {
  wgsl: `fn element_number(workgroup: vec3<u32>, counts: vec3<u32>, thread: u32) -> u32 {
  let number = params.firstWorkgroup + workgroup.x + counts.x * (workgroup.y + counts.y * workgroup.z);
  return number * ${linearThreads}u + thread;
}`,
};
