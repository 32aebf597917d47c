/**
 * The control block: how threads share a job, as 32-bit words at a fixed place in wasm memory. Each
 * constant is an index into the words, unless it says otherwise. Like all of this folder, the file is
 * compiled twice: by TypeScript for the host and by AssemblyScript for the kernels. Hence it has numbers alone.
 */

/** Byte address of the block. Address 0 stands for "nothing". */
export const controlAddress = 64;
/** Its size in bytes. */
export const controlBytes = 64;

/**
 * The next item to take, in the low bits, and a count of jobs above them: taking an item is one
 * compare-and-exchange, which cannot succeed on a job that has been replaced meanwhile.
 */
export const nextItem = 0;
/** Changes with each job, and when the pool ends: what idle workers wait for. */
export const wakeCount = 1;
/** Items of the job. */
export const itemCount = 2;
/** Items done; negative once a worker has failed. */
export const doneCount = 3;
/** Bit that a worker which fails sets in `doneCount`: the sign. */
export const failed = -2147483648;
/** Address of the job's descriptor. */
export const descriptorAddress = 4;
/** Address of thread 0's workspace; the others' follow. */
export const workspaceAddress = 5;
/** Bytes of a workspace. */
export const workspaceStride = 6;
/** 1: the workers are to end. */
export const quit = 7;
/** Threads that have a workspace, and so may take items: those of lower index. */
export const threadCount = 8;
/** Workers that run. */
export const readyCount = 9;

/** Bits of `nextItem` that hold the item. */
export const itemBits = 16;
/** No job has as many items: the value that closes one. */
export const noItem = 65535;
