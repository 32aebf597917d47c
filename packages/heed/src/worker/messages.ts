import type { HostTensor } from "@heed/core";

/** The first message to a worker: options of its backend. */
export interface Start {
  readonly options: object;
}

/** The answer to {@link Start}. */
export type Started =
  | { readonly threads: number }
  | { readonly failure: { readonly message: string } };

/** A call of attention, whose tensors belong to the worker. */
export interface Request {
  readonly inputs: object;
}

/** The answer to {@link Request}. */
export type Response =
  | { readonly outputs: Readonly<Record<string, HostTensor>> }
  | { readonly failure: { readonly message: string; readonly code: string | null } };

/** The members that a worker's own side and a thread's side have in common. */
export interface Port {
  postMessage(message: unknown, transfer: ArrayBuffer[]): void;
}

/** Arrays that can be handed over with a message instead of being copied once more. */
export function transferable(tensors: Iterable<unknown>): ArrayBuffer[] {
  const found = new Set<ArrayBuffer>();
  for (const t of tensors) {
    const { data } = (t ?? {}) as Partial<HostTensor>;
    if (data === undefined) continue;
    const { buffer, byteLength } = data as Float32Array;
    // A part of a buffer would take the rest of it along.
    if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) found.add(buffer);
  }
  return [...found];
}
