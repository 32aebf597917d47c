/** A call of com.microsoft.MultiHeadAttention, for its tests. */
import { waves } from "./naive-attention.js";

export const [batch, heads, length, size, columns] = [2, 2, 3, 4, 6] as const;
/** The attribute that every call needs. */
export const two = { num_heads: heads };
export const qkv = {
  query: waves(batch, length, heads * size),
  key: waves(batch, length, heads * size),
  value: waves(batch, length, heads * columns),
};
export const past = {
  past_key: waves(batch, heads, 2, size),
  past_value: waves(batch, heads, 2, columns),
};
