import { floats, longs, type TestModel, Writer } from "./writer.js";

const width = 8;
const heads = 2;
const size = 4;

/** BERT as transformers exports it: Div after the product, padding of −10000 by Add; and a pooler's softmax. */
export function bert(opset = 13, layers = 1): TestModel {
  const g = new Writer(opset);
  const ids = g.input("input_ids", "int64", ["batch", "sequence"]);
  const padding = g.input("attention_mask", "int64", ["batch", "sequence"]);
  let hidden = g.op("Gather", [g.weight(16, width), ids]);
  const kept = g.op("Cast", [g.unsqueeze(padding, 1, 2)], { to: 1 });
  const mask = g.op("Mul", [g.op("Sub", [g.float(1), kept]), g.float(-10000)]);
  let out = hidden;
  for (let layer = 0; layer < layers; layer++) {
    if (layer > 0) hidden = g.op("Add", [out, hidden]);
    const query = g.heads(g.linear(hidden, width, width), heads, size);
    const turned = g.reshape(g.linear(hidden, width, width), 0, 0, heads, size);
    const key = g.transpose(turned, 0, 2, 3, 1);
    const value = g.heads(g.linear(hidden, width, width), heads, size);
    const scores = g.op("Div", [g.op("MatMul", [query, key]), g.float(2)]);
    const weights = g.softmax(g.op("Add", [scores, mask]), opset < 13 ? 3 : -1);
    out = g.merged(g.op("MatMul", [g.op("Identity", [weights]), value]), width);
  }
  // A softmax over labels, and one that mixes fixed vectors: a layer, and no attention.
  const labels = g.softmax(g.linear(g.op("Add", [out, hidden]), width, 3));
  const mixed = g.op("MatMul", [labels, g.weight(3, width)]);
  g.output("last_hidden_state", out, "float32", ["batch", "sequence", width]);
  g.output("mixed", mixed, "float32", ["batch", "sequence", width]);
  return {
    bytes: g.model(),
    feeds: {
      input_ids: longs([2, 5], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
      attention_mask: longs([2, 5], [1, 1, 1, 1, 1, 1, 1, 1, 0, 0]),
    },
  };
}

/** ViT as timm exports it: queries, keys and values of one product, Mul on the query; a softmax along another axis. */
export function vit(): TestModel {
  const g = new Writer(14);
  const image = g.input("patches", "float32", ["batch", 6, width]);
  const packed = g.transpose(
    g.reshape(g.linear(image, width, 3 * width), 0, 6, 3, heads, size),
    2,
    0,
    3,
    1,
    4,
  );
  const part = (at: number) => g.op("Gather", [packed, g.scalar("int64", at)], { axis: 0 });
  const query = g.op("Mul", [part(0), g.float(0.5)]);
  const weights = g.softmax(g.op("MatMul", [query, g.transpose(part(1), 0, 1, 3, 2)]));
  const out = g.merged(g.op("MatMul", [weights, part(2)]), width);
  // Queries compete for keys (Slot Attention, arXiv:2006.15055): the same nodes, another axis.
  const slots = g.softmax(g.op("MatMul", [part(0), g.transpose(part(1), 0, 1, 3, 2)]), 2);
  g.output("features", out, "float32", ["batch", 6, width]);
  g.output("slots", g.op("MatMul", [slots, part(2)]), "float32", ["batch", heads, 6, size]);
  return { bytes: g.model(), feeds: { patches: floats([2, 6, width], 3) } };
}

/** Swin: a bias of relative positions, and a mask of windows that comes in five axes. */
export function swin(): TestModel {
  const g = new Writer(17);
  const windows = g.input("windows", "float32", ["windows", 4, width]);
  const query = g.op("Mul", [g.heads(g.linear(windows, width, width), heads, size), g.float(0.5)]);
  const key = g.heads(g.linear(windows, width, width), heads, size);
  const value = g.heads(g.linear(windows, width, width), heads, size);
  const product = g.op("MatMul", [query, g.transpose(key, 0, 1, 3, 2)]);
  const biased = g.op("Add", [product, g.unsqueeze(g.weight(heads, 4, 4), 0)]);
  // [images, windows of one, heads, …], to which a mask [1, windows of one, 1, …] is added.
  const split = g.reshape(biased, -1, 2, heads, 4, 4);
  const hides = [
    ...Array(16).fill(0),
    ...Array.from({ length: 16 }, (_, i) => (((i >> 2) ^ i) & 2 ? -100 : 0)),
  ];
  const mask = g.constant("float32", [1, 2, 1, 4, 4], hides);
  const logits = g.reshape(g.op("Add", [split, mask]), -1, heads, 4, 4);
  const out = g.merged(g.op("MatMul", [g.softmax(logits), value]), width);
  g.output("out", out, "float32", ["windows", 4, width]);
  return { bytes: g.model(), feeds: { windows: floats([6, 4, width], 5) } };
}

/** torch.nn.MultiheadAttention: batch and heads are one axis, the sequence comes first. */
export function torchLayer(): TestModel {
  const g = new Writer(12);
  const hidden = g.input("hidden", "float32", ["sequence", "batch", width]);
  const shape = (value: string) =>
    g.op(
      "Concat",
      [g.size(value, 0), g.op("Mul", [g.size(value, 1), g.integers(heads)]), g.integers(size)],
      {
        axis: 0,
      },
    );
  const part = () => {
    const projected = g.linear(hidden, width, width);
    return g.transpose(g.op("Reshape", [projected, shape(hidden)]), 1, 0, 2);
  };
  const query = g.op("Mul", [part(), g.float(0.5)]);
  const weights = g.softmax(g.op("MatMul", [query, g.transpose(part(), 0, 2, 1)]), 2);
  const product = g.op("MatMul", [weights, part()]);
  const back = g.op("Reshape", [g.transpose(product, 1, 0, 2), g.op("Shape", [hidden])]);
  // The averaged weights are an output of the layer, too.
  const averaged = g.op("ReduceMean", [g.reshape(weights, -1, heads, 5, 5)], {
    axes: [1],
    keepdims: 0,
  });
  g.output("out", g.linear(back, width, width), "float32", ["sequence", "batch", width]);
  g.output("averaged", averaged, "float32", ["batch", 5, 5]);
  return { bytes: g.model(), feeds: { hidden: floats([5, 3, width], 7) } };
}

/** Attention by Einsum, with axes in the order [batch, length, heads, size]; scores that are an output as well. */
export function einsum(): TestModel {
  const g = new Writer(13);
  const hidden = g.input("hidden", "float32", ["batch", "sequence", width]);
  const part = () => g.reshape(g.linear(hidden, width, width), 0, -1, heads, size);
  const scores = g.op("Einsum", [part(), part()], { equation: "bqhd,bkhd->bhqk" });
  const scaled = g.op("Mul", [scores, g.float(0.5)]);
  const out = g.op("Einsum", [g.softmax(scaled), part()], { equation: "bhqk,bkhd->bqhd" });
  g.output("out", g.linear(g.reshape(out, 0, -1, width), width, width), "float32", [
    "batch",
    "sequence",
    width,
  ]);
  g.output("scores", scores, "float32", ["batch", heads, "sequence", "sequence"]);
  return { bytes: g.model(), feeds: { hidden: floats([2, 5, width], 9) } };
}

/** T5: no scale, and a bias of positions. */
export function t5(): TestModel {
  const g = new Writer(13);
  const hidden = g.input("hidden", "float32", ["batch", 5, width]);
  const part = () => g.heads(g.op("MatMul", [hidden, g.weight(width, width)]), heads, size);
  const scores = g.op("MatMul", [part(), g.transpose(part(), 0, 1, 3, 2)]);
  const weights = g.softmax(g.op("Add", [g.weight(1, heads, 5, 5), scores]));
  g.output("out", g.merged(g.op("MatMul", [weights, part()]), width), "float32", [
    "batch",
    5,
    width,
  ]);
  return { bytes: g.model(), feeds: { hidden: floats([2, 5, width], 11) } };
}
