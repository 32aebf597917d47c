import { checkAttention } from "../../options.js";
import { mergedHeads, Owned, rowMajorCopy } from "../../owned.js";
import { scatter } from "../../scatter/operation.js";
import type { Attention } from "../../select/attention.js";
import type { DType } from "../../tensor/dtype.js";
import { isDeviceTensor, readTensor } from "../../tensor/host-tensor.js";
import { type HostTensor, type Tensor, zeros } from "../../tensor/tensor.js";
import { contiguous } from "../../tensor/views.js";
import { rowSlots, writeRows } from "./rows.js";

/** The attention of an operator: `apply` and `allocate` are needed for tensors in a backend's memory. */
export type OperatorAttention = Pick<Attention, "run"> &
  Partial<Pick<Attention, "apply" | "allocate">>;

/** The memory that a call of an operator computes in, with the tensors that it makes there on its way. */
export class CallMemory {
  readonly #attention: Pick<Attention, "apply" | "allocate">;
  /** Name of the backend; null for host memory. */
  readonly #backend: string | null;
  readonly #owned = new Owned();

  /**
   * The memory of the first tensor that is on a device, else of the host.
   *
   * @param tensors by their names in errors
   * @throws InvalidInputError for what is no tensor, or an attention that lacks what devices need
   */
  constructor(attention: OperatorAttention, tensors: Readonly<Record<string, Tensor | undefined>>) {
    let backend: string | null = null;
    for (const [name, given] of Object.entries(tensors)) {
      if (given === undefined) continue;
      const t = readTensor(name, given);
      if (isDeviceTensor(t)) backend ??= t.backend;
    }
    if (backend !== null) checkAttention(attention, ["run", "apply", "allocate"]);
    this.#attention = attention as Pick<Attention, "apply" | "allocate">;
    this.#backend = backend;
  }

  get onDevice(): boolean {
    return this.#backend !== null;
  }

  /** @returns the tensor, which is disposed with the call if it is on a device */
  keep<T extends Tensor>(t: T): T {
    return this.#owned.keep(t);
  }

  /** A new row-major tensor. */
  zeros(dtype: DType, shape: readonly number[]): Tensor {
    if (this.#backend === null) return zeros(dtype, shape);
    return this.keep(this.#attention.allocate(dtype, shape, { backend: this.#backend }));
  }

  /**
   * Writes consecutive rows of each batch entry into a tensor, where it is.
   *
   * @param target `[batch, heads, rows, size]`
   * @param source `[batch, heads, n, size]`, of any strides
   * @param from first row of the target, one a batch entry
   * @param counts how many of the source's first rows are written, one a batch entry; default all
   */
  async write(
    target: Tensor,
    source: Tensor,
    from: Int32Array,
    counts?: Int32Array,
  ): Promise<void> {
    if (!isDeviceTensor(target)) {
      writeRows(target as HostTensor, source as HostTensor, from, counts);
      return;
    }
    const slots = rowSlots(source, from, counts);
    if (slots.length === 0) return;
    await this.#attention.apply(scatter, { target, source, slots, paged: false });
  }

  /** A tensor as the operator returns it: row-major, and on a device a copy. */
  async copied(t: Tensor): Promise<Tensor> {
    return rowMajorCopy(this.#attention, t, this.#owned);
  }

  /** Row-major `[batch, heads, length, size]` as `[batch, length, heads·size]`. */
  async merged(t: Tensor): Promise<Tensor> {
    const merged = await mergedHeads(this.#attention, t, this.#owned);
    return isDeviceTensor(merged) ? merged : (contiguous(merged as HostTensor) as Tensor);
  }

  /** An output of a call, in the memory of the operator's query: read from a device if that is in host memory. */
  async asQuery(output: Tensor, query: Tensor): Promise<Tensor> {
    const own = this.keep(output);
    return isDeviceTensor(own) && !isDeviceTensor(query) ? own.read() : own;
  }

  /** The operator's outputs, which whoever called disposes. */
  results<R extends object>(outputs: Readonly<Record<string, Tensor | undefined>>): R {
    for (const t of Object.values(outputs)) if (t) this.#owned.release(t);
    return outputs as R;
  }

  /** Gives back what was made, but for the results. */
  dispose(): void {
    this.#owned.dispose();
  }
}
