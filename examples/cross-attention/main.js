import { createAttention, splitHeads, tensor } from "heed";

const heads = 2;
const headDim = 4;
const wave = (length, phase) =>
  Float32Array.from({ length: length * heads * headDim }, (_, i) => Math.sin(i + phase));

// 3 tokens of a text ask 5 frames of audio. Projections give [batch, length, heads · headDim].
const text = tensor(wave(3, 0), [1, 3, heads * headDim]);
const audioKeys = tensor(wave(5, 1), [1, 5, heads * headDim]);
const audioValues = tensor(wave(5, 2), [1, 5, heads * headDim]);

const attention = await createAttention();
const { output, weights } = await attention.run({
  // Views: nothing is copied.
  query: splitHeads(text, heads),
  key: splitHeads(audioKeys, heads),
  value: splitHeads(audioValues, heads),
  returns: { weights: true },
});
console.log("output: ", output.shape.join(" × "));
console.log("weights:", weights.shape.join(" × "));

// Weights of the first head's first token: shares of the five frames.
const shares = Array.from(weights.data.subarray(0, 5));
console.log(shares.map((share) => share.toFixed(2)).join("  "));
await attention.dispose();
