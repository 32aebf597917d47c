import type { DeviceTensor, DType, HostTensor, Tensor } from "@heed/core";
import type { HostInput, ScaledDotProductOptions } from "./inputs.js";

/** The module that computes, once a call has imported it. */
let loaded: typeof import("./compute.js") | null = null;

/**
 * Scaled dot-product attention with the names and the meaning of PyTorch's
 * `torch.nn.functional.scaled_dot_product_attention`: softmax(scale · query keyᵀ + mask) value. A row that
 * sees no key is 0.
 *
 * @param query [batch, heads, queryLength, headDim], or without batch, or without batch and heads
 * @param key [batch, heads, keyLength, headDim], of the query's rank and dtype
 * @param value [batch, heads, keyLength, valueDim], of the query's rank and dtype
 * @returns [batch, heads, queryLength, valueDim], of the query's rank and dtype, row-major
 * @throws InvalidInputError (rejects) naming the argument at fault, also for the names of other libraries
 * @throws UnsupportedError, BackendUnavailableError (reject) with every backend's reasons
 */
export async function scaledDotProductAttention<Query extends HostInput>(
  query: Query,
  key: HostInput,
  value: HostInput,
  options?: ScaledDotProductOptions,
): Promise<HostTensor<Query extends HostTensor<infer D> ? D : DType>>;
export async function scaledDotProductAttention(
  query: HostInput | DeviceTensor,
  key: HostInput | DeviceTensor,
  value: HostInput | DeviceTensor,
  options?: ScaledDotProductOptions<HostInput | DeviceTensor>,
): Promise<Tensor>;
export async function scaledDotProductAttention(
  query: HostInput | DeviceTensor,
  key: HostInput | DeviceTensor,
  value: HostInput | DeviceTensor,
  options: ScaledDotProductOptions<HostInput | DeviceTensor> = {},
): Promise<Tensor> {
  loaded ??= await import("./compute.js");
  return loaded.compute(query, key, value, options);
}
