import { InvalidInputError } from "../../errors.js";
import type { DType } from "../../tensor/dtype.js";
import { elementCount } from "../../tensor/layout.js";
import { type HostTensor, tensor } from "../../tensor/tensor.js";
import { fromFloat64, toFloat64 } from "../../tensor/values.js";
import { bindInputs } from "../bind.js";
import { describeProblem } from "../describe.js";
import type { AttentionInputs } from "../inputs.js";
import { visibleBand } from "../visibility.js";

/**
 * The mask over all keys: ONNX pads one that is shorter, along its last axis only, with false or
 * −∞ — also one whose last axis is 1, which Heed by itself would broadcast.
 */
export function padMask(mask: HostTensor, dtype: DType, keyLength: number): HostTensor {
  if (mask.dtype !== "bool" && mask.dtype !== dtype) {
    throw new InvalidInputError("attn_mask", `dtype bool or Q's ${dtype}`, mask.dtype);
  }
  const length = mask.shape.at(-1);
  if (length === undefined || length > keyLength) {
    throw new InvalidInputError(
      "attn_mask",
      `rank 1 to 4 and a last axis of at most ${keyLength} keys`,
      `[${mask.shape.join(", ")}]`,
    );
  }
  if (length === keyLength) return mask;
  const shape = [...mask.shape.slice(0, -1), keyLength];
  const padding = mask.dtype === "bool" ? 0 : Number.NEGATIVE_INFINITY;
  const padded = new Float64Array(elementCount(shape)).fill(padding);
  const values = toFloat64(mask);
  for (let row = 0; row * length < values.length; row++) {
    padded.set(values.subarray(row * length, (row + 1) * length), row * keyLength);
  }
  return fromFloat64(padded, shape, mask.dtype);
}

/** `[batch, 1 | …, 1 | …, keyLength]`: false at padding and where `mask` is. */
export function hidePadding(
  lengths: Int32Array,
  keyLength: number,
  mask: HostTensor | undefined,
): HostTensor {
  const batch = lengths.length;
  const [maskBatch, heads, queries] = [1, 1, 1, 1, ...(mask?.shape ?? [])].slice(-4) as number[];
  if (maskBatch !== 1 && maskBatch !== batch) {
    throw new InvalidInputError(
      "attn_mask",
      `a batch axis of 1 or ${batch}`,
      `[${mask?.shape.join(", ")}]`,
    );
  }
  const block = (heads as number) * (queries as number) * keyLength;
  const values = mask ? toFloat64(mask) : new Float64Array(block).fill(1);
  const visible = new Uint8Array(batch * block);
  for (let b = 0; b < batch; b++) {
    const from = mask && maskBatch !== 1 ? b * block : 0;
    for (let at = 0; at < block; at++) {
      const exists = at % keyLength < (lengths[b] as number);
      visible[b * block + at] = exists && values[from + at] ? 1 : 0;
    }
  }
  return tensor(visible, [batch, heads as number, queries as number, keyLength], { dtype: "bool" });
}

/** Scores with −∞, or another value, wherever the call's mask, position rules or lengths hide the key. */
export function hideInvisible(
  scores: HostTensor,
  inputs: AttentionInputs<HostTensor>,
  hidden: number = Number.NEGATIVE_INFINITY,
): HostTensor {
  const problem = describeProblem(inputs);
  const { mask, offsets, kvLengths } = bindInputs(problem, inputs);
  const { left, right } = visibleBand(problem);
  const { batch, queryHeads, queryLength, keyLength } = problem;
  const values = toFloat64(scores);
  const attended = mask ? toFloat64(mask) : null;
  let at = 0;
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < queryHeads; h++) {
      for (let i = 0; i < queryLength; i++) {
        const p = i + (offsets[b] as number);
        for (let j = 0; j < keyLength; j++, at++) {
          const exists = j < (kvLengths[b] as number) && p - left <= j && j <= p + right;
          if (!exists || attended?.[at] === 0) values[at] = hidden;
        }
      }
    }
  }
  return fromFloat64(values, scores.shape, scores.dtype);
}
