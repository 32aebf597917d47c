import * as C from "../../src/shared/control";

// @ts-ignore: decorator
@inline
function word(index: usize): usize {
  return C.controlAddress + 4 * index;
}

/**
 * Takes an item of the job for a thread.
 *
 * @returns the item, or −1 if none is left or the job has no workspace for the thread
 */
export function takeItem(thread: i32): i32 {
  while (true) {
    const next = atomic.load<i32>(word(C.nextItem));
    const item = next & ((1 << C.itemBits) - 1);
    // Read after `next`, and valid only if that has not changed: a job's words are written before its
    // first item is offered, and after the last job was closed.
    if (item >= atomic.load<i32>(word(C.itemCount))) return -1;
    if (thread >= atomic.load<i32>(word(C.threadCount))) return -1;
    if (atomic.cmpxchg<i32>(word(C.nextItem), next, next + 1) == next) return item;
  }
}

/** Counts an item as done, and wakes the thread that waits for the last one. */
export function finishItem(): void {
  const done = atomic.add<i32>(word(C.doneCount), 1) + 1;
  if (done == atomic.load<i32>(word(C.itemCount))) atomic.notify(word(C.doneCount), 1);
}

// @ts-ignore: decorator
@inline
export function jobDescriptor(): usize {
  return load<usize>(word(C.descriptorAddress));
}

/** Address of a thread's workspace. */
// @ts-ignore: decorator
@inline
export function jobWorkspace(thread: i32): usize {
  return load<usize>(word(C.workspaceAddress)) + <usize>thread * load<usize>(word(C.workspaceStride));
}
