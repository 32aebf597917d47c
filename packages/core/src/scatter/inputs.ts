import type { HostTensor, Tensor } from "../tensor/tensor.js";

/**
 * One call of scatter: writes rows into a cache, in place. Row (b, h, i) of the source goes to the row
 * of the target, of the same head, that slot (b, i) names; rows of the target that no slot names keep
 * their bits. (vLLM's slot_mapping; ONNX TensorScatter-24 is the case of consecutive slots.)
 *
 * - A **static** target has one entry for each batch entry: a slot is a row of entry b.
 * - A **paged** target is a pool of pages that all batch entries share: a slot is
 *   page · rows of a page + row.
 *
 * A slot of −1 writes nothing. Slots outside of the target, and two equal slots among those of one entry
 * (paged: among all of them), are an error, before anything is written.
 *
 * Elements are converted to the target's dtype with one rounding, to nearest even. An **int8** target
 * is quantised symmetrically, a row at a time: scale = max |x| / 127, rounded to float32, and element =
 * x / scale, rounded to nearest even and clamped to ±127, so that element · scale is x to within half
 * a scale. A row of zeros has the scale 0. A row that holds NaN or an infinity, or whose scale is beyond
 * float32, has the scale NaN and elements 0, so that it reads as NaN.
 *
 * Writing the same call again changes nothing: another backend may take over from one that failed as
 * long as the target is in host memory. When a call settles, the rows are written, or on a device, queued
 * before the work of all later calls. Await a call before others that read or write its target. On the
 * memory of the backend webgpu, calls through one attention are ordered without it: attention, scatter
 * and reads of tensors see what earlier calls wrote, and nothing that later calls write. Only a read of a
 * tensor may overtake the first call of a problem, which makes its plan.
 */
export interface ScatterInputs<T extends Tensor = Tensor> {
  /**
   * `[batch or pages, heads, rows, headDim]`, float64, float32, float16 or int8; written in place. No
   * two of its elements may share memory, nor any with the source.
   */
  readonly target: T;
  /** `[batch, heads, n, headDim]`, float64, float32 or float16. On a device only if the target is. */
  readonly source: T;
  /** Slots, int32 `[batch, n]`, in host memory; copied when the call is made. */
  readonly slots: HostTensor | Int32Array;
  /**
   * Scales of the rows of an int8 target, float32 `[batch or pages, heads, rows]`, where the target is;
   * written in place. Required for an int8 target, and an error beside any other.
   */
  readonly scales?: T | undefined;
  /** Whether the target is paged. Default: whether its first size differs from the batch. */
  readonly paged?: boolean | undefined;
}

/** The result of {@link ScatterInputs}: the tensors that were given, written. Nothing new to dispose. */
export interface ScatterOutputs<T extends Tensor = Tensor> {
  /** The very target of the call. */
  readonly target: T;
  /** The very scales of the call, if there were any. */
  readonly scales?: T | undefined;
}
