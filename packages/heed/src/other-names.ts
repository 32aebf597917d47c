/**
 * The meaning of another library's name for an option of `scaledDotProductAttention`. Loaded
 * when such a name comes.
 */

const byRun = (option: string): string => `attention.run({ ${option} }) of createAttention()`;

const names: Readonly<Record<string, string>> = {
  // PyTorch, torch.nn.functional.scaled_dot_product_attention and MultiheadAttention
  attn_mask: "attnMask",
  dropout_p: "dropoutP",
  is_causal: "isCausal",
  enable_gqa: "enableGqa",
  key_padding_mask:
    "attnMask: paddingMask(lengths, keyLength), where true is a key that takes part (PyTorch's key_padding_mask is the other way round)",
  need_weights: byRun("returns: { weights: true }"),
  // JAX, jax.nn.dot_product_attention, whose layout is [batch, length, heads, headDim]
  bias: "attnMask: a mask of floating-point numbers is added to the scores",
  mask: "attnMask",
  query_seq_lengths: `${byRun("kvLengths")} for the keys; rows of queries beyond their length can be ignored`,
  key_value_seq_lengths: byRun("kvLengths"),
  local_window_size: byRun("window: { left, right }"),
  return_residual: byRun("returns: { logSumExp: true }"),
  implementation: "attention: createAttention({ backends: [name] })",
  // ONNX, the operator Attention
  q_num_heads: "tensors of shape [batch, heads, length, headDim], such as splitHeads gives",
  kv_num_heads: "tensors of shape [batch, heads, length, headDim], such as splitHeads gives",
  past_key: "a key that holds the past as well, or onnxAttention of @heed/core/onnx",
  past_value: "a value that holds the past as well, or onnxAttention of @heed/core/onnx",
  nonpad_kv_seqlen: byRun("kvLengths"),
  softmax_precision: "nothing: softmax is computed in float32 at least",
  qk_matmul_output_mode: byRun('returns: { scores: "raw" }'),
  left_window_size: byRun("window: { left }"),
  right_window_size: byRun("window: { right }"),
  // Keras and TensorFlow.js
  attention_mask: "attnMask",
  use_causal_mask: "isCausal",
  causal_mask: "isCausal",
  // Heed's own, of calls by attention.run
  causal:
    "isCausal, which is top-left; or attention.run({ causal, queryOffset }) of createAttention()",
  softcap: byRun("softcap"),
  window: byRun("window"),
  alibiSlopes: byRun("alibiSlopes"),
  sinks: byRun("sinks"),
  kvLengths: byRun("kvLengths"),
  queryOffset: byRun("queryOffset"),
  returns: byRun("returns"),
};

/** @returns what to write instead of a name; undefined for a name that no library known here has */
export function meant(name: string): string | undefined {
  if (Object.hasOwn(names, name)) return names[name];
  // Whoever writes isCausal as iscausal or IsCausal means isCausal.
  const plain = (text: string): string => text.replaceAll("_", "").toLowerCase();
  const same = Object.keys(names).find((known) => plain(known) === plain(name));
  return same === undefined ? undefined : names[same];
}
