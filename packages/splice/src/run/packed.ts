import {
  contiguous,
  type HostTensor,
  isDeviceTensor,
  projection,
  reshape,
  slice,
  type Tensor,
  tensor,
  transpose,
} from "@heed/core";
import { onnxMultiHeadAttention } from "@heed/core/onnx";
import { type Copying, copyRows, Owned } from "@heed/core/owned";
import { NotThisCall } from "./axes.js";
import type { Runner } from "./runner.js";

interface PackedInputs {
  /** `[batch, length, in]`. */
  readonly input: Tensor;
  /** `[in, query + key + value sizes]`. */
  readonly weights: Tensor;
  readonly bias?: Tensor;
  readonly mask_index?: HostTensor;
  /** `[2, batch, heads, past, size]`. */
  readonly past?: Tensor;
  readonly attention_bias?: HostTensor;
  readonly past_sequence_length?: unknown;
}

/** Attributes that MultiHeadAttention has as well. */
const shared = ["num_heads", "unidirectional", "scale", "mask_filter_value"];

/**
 * The operator com.microsoft.Attention
 * (https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md): MultiHeadAttention of
 * projections that it makes itself, with a past and a present in one tensor each. Outputs are where the input is.
 *
 * @throws NotThisCall for rotary embeddings and shared buffers
 */
export async function packedAttention(
  runner: Runner,
  inputs: PackedInputs,
  attributes: Record<string, unknown>,
  outputs: readonly string[],
): Promise<{ output: Tensor; present?: Tensor }> {
  const { input, weights, bias, mask_index, past, attention_bias } = inputs;
  if (attributes.do_rotary || attributes.past_present_share_buffer || inputs.past_sequence_length) {
    throw new NotThisCall("it has rotary embeddings or a shared buffer");
  }
  const all = weights.shape[1] as number;
  const sizes = (attributes.qkv_hidden_sizes as number[] | undefined) ?? [
    all / 3,
    all / 3,
    all / 3,
  ];
  const owned = new Owned();
  try {
    const weight = owned.keep(transpose(weights, [1, 0]) as Tensor);
    const projected = await runner.apply(projection, { input, weight, ...(bias && { bias }) });
    owned.keep(projected.output);
    let start = 0;
    const [query, key, value] = sizes.map((size) => {
      start += size;
      return owned.keep(slice(projected.output, 2, start - size, start) as Tensor);
    }) as [Tensor, Tensor, Tensor];
    const half = (at: number): Tensor | undefined =>
      past && halfOf(isDeviceTensor(past) ? past : contiguous(past), at, owned);
    const [pastKey, pastValue] = [half(0), half(1)];
    const wantsPresent = outputs.includes("present");
    const result = await onnxMultiHeadAttention<Tensor>(
      runner,
      {
        query,
        key,
        value,
        ...(mask_index && { key_padding_mask: mask_index }),
        ...(attention_bias && { attention_bias }),
        ...(pastKey && pastValue && { past_key: pastKey, past_value: pastValue }),
      },
      Object.fromEntries(
        Object.entries(attributes).filter(([name]) => shared.includes(name)),
      ) as never,
      { outputs: wantsPresent ? ["output", "present_key", "present_value"] : ["output"] },
    );
    const { output, present_key, present_value } = result;
    owned.keep(output);
    if (!present_key || !present_value) {
      owned.release(output);
      return { output };
    }
    const halves = [owned.keep(present_key), owned.keep(present_value)] as const;
    const present = await stacked(runner, halves, owned);
    owned.release(output);
    owned.release(present);
    return { output, present };
  } finally {
    owned.dispose();
  }
}

/** Keys or values, `[batch, heads, rows, size]`, of both in one row-major tensor: a view. */
function halfOf(both: Tensor, at: number, owned: Owned): Tensor {
  const half = owned.keep(slice(both, 0, at, at + 1) as Tensor);
  return owned.keep(reshape(half, both.shape.slice(1)) as Tensor);
}

/** Keys and values as `[2, …]`, where they are. */
async function stacked(
  runner: Runner,
  [key, value]: readonly [Tensor, Tensor],
  owned: Owned,
): Promise<Tensor> {
  if (isDeviceTensor(key)) {
    const { backend, dtype, shape } = key;
    const both = owned.keep((runner as Copying).allocate(dtype, [2, ...shape], { backend }));
    await copyRows(runner, key, halfOf(both, 0, owned));
    await copyRows(runner, value, halfOf(both, 1, owned));
    return both;
  }
  const [k, v] = [contiguous(key), contiguous(value as HostTensor)];
  const count = k.shape.reduce((product, size) => product * size, 1);
  const Own = k.data.constructor as new (length: number) => Float32Array;
  const data = new Own(2 * count);
  data.set(k.data.subarray(k.offset, k.offset + count) as Float32Array);
  data.set(v.data.subarray(v.offset, v.offset + count) as Float32Array, count);
  return tensor(data, [2, ...k.shape], { dtype: k.dtype as "float32" });
}
