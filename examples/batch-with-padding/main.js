import { createAttention, paddingMask, tensor } from "heed";

// Two sentences of 4 and 2 tokens, padded to 4. [batch, heads, length, headDim]
const shape = [2, 1, 4, 2];
const query = tensor(new Float32Array(16).fill(1), shape);
const key = tensor(new Float32Array(16).fill(1), shape);
const value = tensor(
  new Float32Array([
    ...[1, 1, 2, 2, 3, 3, 4, 4], // the first sentence
    ...[1, 1, 2, 2, NaN, NaN, NaN, NaN], // the second, and padding: nothing may read it
  ]),
  shape,
);

// The tokenizer's "attention mask": 1 for a token, 0 for padding.
const mask = paddingMask([
  [1, 1, 1, 1],
  [1, 1, 0, 0],
]);

const attention = await createAttention();
const { output } = await attention.run({ query, key, value, mask });
console.log(
  "by mask:   ",
  output.data.slice(0, 2).join(" "),
  "|",
  output.data.slice(8, 10).join(" "),
);

// If padding is at the end, lengths say the same, and keys past them cost nothing.
const byLength = await attention.run({ query, key, value, kvLengths: [4, 2] });
const { data } = byLength.output;
console.log("by lengths:", data.slice(0, 2).join(" "), "|", data.slice(8, 10).join(" "));
await attention.dispose();
