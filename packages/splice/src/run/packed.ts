import {
  contiguous,
  type HostTensor,
  projection,
  reshape,
  slice,
  tensor,
  transpose,
} from "@heed/core";
import { onnxMultiHeadAttention } from "@heed/core/onnx";
import { NotThisCall } from "./axes.js";
import type { Runner } from "./runner.js";

interface PackedInputs {
  /** `[batch, length, in]`. */
  readonly input: HostTensor;
  /** `[in, query + key + value sizes]`. */
  readonly weights: HostTensor;
  readonly bias?: HostTensor;
  readonly mask_index?: HostTensor;
  /** `[2, batch, heads, past, size]`. */
  readonly past?: HostTensor;
  readonly attention_bias?: HostTensor;
  readonly past_sequence_length?: unknown;
}

/** Attributes that MultiHeadAttention has as well. */
const shared = ["num_heads", "unidirectional", "scale", "mask_filter_value"];

/**
 * The operator com.microsoft.Attention
 * (https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md): MultiHeadAttention of
 * projections that it makes itself, with a past and a present in one tensor each.
 *
 * @throws NotThisCall for rotary embeddings and shared buffers
 */
export async function packedAttention(
  runner: Runner,
  inputs: PackedInputs,
  attributes: Record<string, unknown>,
  outputs: readonly string[],
): Promise<{ output: HostTensor; present?: HostTensor }> {
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
  const { output } = (await runner.apply(projection, {
    input,
    weight: transpose(weights, [1, 0]),
    ...(bias && { bias }),
  })) as { output: HostTensor };
  let start = 0;
  const [query, key, value] = sizes.map((size) => {
    start += size;
    return contiguous(slice(output, 2, start - size, start));
  }) as [HostTensor, HostTensor, HostTensor];
  const half = (at: number): HostTensor | undefined =>
    past && reshape(contiguous(slice(past, 0, at, at + 1)), past.shape.slice(1));
  const [pastKey, pastValue] = [half(0), half(1)];
  const wantsPresent = outputs.includes("present");
  const result = await onnxMultiHeadAttention(
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
  const { present_key, present_value } = result;
  if (!present_key || !present_value) return { output: result.output };
  return { output: result.output, present: stacked(present_key, present_value) };
}

/** Keys and values as `[2, …]`. */
function stacked(key: HostTensor, value: HostTensor): HostTensor {
  const [k, v] = [contiguous(key), contiguous(value)];
  const count = k.shape.reduce((product, size) => product * size, 1);
  const Own = k.data.constructor as new (length: number) => Float32Array;
  const data = new Own(2 * count);
  data.set(k.data.subarray(k.offset, k.offset + count) as Float32Array);
  data.set(v.data.subarray(v.offset, v.offset + count) as Float32Array, count);
  return tensor(data, [2, ...k.shape], { dtype: k.dtype as "float32" });
}
