import { createAttention, mergeHeads, splitHeads, tensor } from "heed";
import { projection } from "heed/operations";

const width = 8;
const hidden = 16;
const heads = 2;

/** Numbers in place of trained ones. [rows, columns], as `torch.nn.Linear` saves them. */
const weights = (rows, columns, seed) =>
  tensor(
    Float32Array.from({ length: rows * columns }, (_, i) => Math.sin(seed * 100 + i) / 3),
    [rows, columns],
  );
const layer = {
  query: weights(width, width, 1),
  key: weights(width, width, 2),
  value: weights(width, width, 3),
  output: weights(width, width, 4),
  up: weights(hidden, width, 5),
  down: weights(width, hidden, 6),
};

const attention = await createAttention();
const linear = async (input, weight) =>
  (await attention.apply(projection, { input, weight })).output;

/** The layer of "Attention is all you need" (2017), normalised first, as in most models since. */
async function encoderLayer(input, kvLengths) {
  const normal = layerNorm(input);
  const [query, key, value] = await Promise.all(
    [layer.query, layer.key, layer.value].map((weight) => linear(normal, weight)),
  );
  const { output } = await attention.run({
    query: splitHeads(query, heads),
    key: splitHeads(key, heads),
    value: splitHeads(value, heads),
    kvLengths,
  });
  const attended = add(input, await linear(mergeHeads(output), layer.output));
  const up = await linear(layerNorm(attended), layer.up);
  return add(attended, await linear(tensor(up.data.map(gelu), up.shape), layer.down));
}

function layerNorm(input) {
  const data = new Float32Array(input.data.length);
  for (let row = 0; row < data.length; row += width) {
    const numbers = input.data.subarray(row, row + width);
    const mean = numbers.reduce((sum, x) => sum + x, 0) / width;
    const variance = numbers.reduce((sum, x) => sum + (x - mean) ** 2, 0) / width;
    for (let i = 0; i < width; i++)
      data[row + i] = (numbers[i] - mean) / Math.sqrt(variance + 1e-5);
  }
  return tensor(data, input.shape);
}

const add = (a, b) =>
  tensor(
    a.data.map((x, i) => x + b.data[i]),
    a.shape,
  );
const gelu = (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));

const tokens = tensor(
  Float32Array.from({ length: 2 * 3 * width }, (_, i) => Math.cos(i)),
  [2, 3, width], // [batch, length, width]
);
const output = await encoderLayer(tokens, [3, 2]);
console.log(output.shape.join(" × "));
console.log(Array.from(output.data.subarray(0, 4), (x) => x.toFixed(3)).join("  "));
await attention.dispose();
