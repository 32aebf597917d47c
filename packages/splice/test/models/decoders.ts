import type { Value } from "@heed/backend-onnx/model";
import { floats, longs, type TestModel, Writer } from "./writer.js";

const width = 8;
const heads = 4;
const kvHeads = 2;
const size = 4;

/** GPT-2: a triangle of the file, cut to the lengths of the call, by Where with −10000; past and present. */
export function gpt2(past: number): TestModel {
  const g = new Writer(13);
  const hidden = g.input("hidden", "float32", ["batch", "sequence", width]);
  const before = g.input("past", "float32", [2, "batch", 2, "past", size]);
  const [q, k, v] = g.node("Split", [g.linear(hidden, width, 3 * width)], ["q", "k", "v"], {
    axis: 2,
  });
  const cached = (at: number): Value =>
    g.op("Gather", [before, g.scalar("int64", at)], { axis: 0 });
  const key = g.op("Concat", [cached(0), g.heads(k, 2, size)], { axis: 2 });
  const value = g.op("Concat", [cached(1), g.heads(v, 2, size)], { axis: 2 });
  const product = g.op("MatMul", [g.heads(q, 2, size), g.transpose(key, 0, 1, 3, 2)]);
  const scores = g.op("Div", [product, g.op("Sqrt", [g.float(size)])]);
  const triangle = g.constant(
    "bool",
    [1, 1, 16, 16],
    Array.from({ length: 256 }, (_, i) => Number(i % 16 <= Math.floor(i / 16))),
  );
  const [keys, rows] = [g.size(key, 2), g.size(hidden, 1)];
  const cut = g.op("Slice", [triangle, g.op("Sub", [keys, rows]), keys, g.integers(2)]);
  const mask = g.op("Slice", [cut, g.integers(0), keys, g.integers(3)]);
  const weights = g.softmax(g.op("Where", [mask, scores, g.float(-10000)]));
  g.output("out", g.merged(g.op("MatMul", [weights, value]), width), "float32", [
    "batch",
    "sequence",
    width,
  ]);
  const present = g.op("Concat", [g.unsqueeze(key, 0), g.unsqueeze(value, 0)], { axis: 0 });
  g.output("present", present, "float32", [2, "batch", 2, "total", size]);
  return {
    bytes: g.model(),
    feeds: { hidden: floats([1, 4, width], 1), past: floats([2, 1, 2, past, size], 2) },
  };
}

/** Whisper: roots of the scale on both sides, a triangle by Add, and cross-attention on an encoder's states. */
export function whisper(): TestModel {
  const g = new Writer(17);
  const hidden = g.input("hidden", "float32", ["batch", 5, width]);
  const audio = g.input("audio", "float32", ["batch", "frames", width]);
  const root = g.float(size ** -0.25);
  const attend = (x: Value, y: Value, mask: Value | null): Value => {
    const query = g.op("Mul", [g.heads(g.linear(x, width, width), 2, size), root]);
    const turned = g.transpose(g.heads(g.linear(y, width, width), 2, size), 0, 1, 3, 2);
    const product = g.op("MatMul", [query, g.op("Mul", [turned, root])]);
    const logits = mask === null ? product : g.op("Add", [product, mask]);
    const value = g.heads(g.linear(y, width, width), 2, size);
    return g.merged(g.op("MatMul", [g.softmax(logits), value]), width);
  };
  const triangle = g.constant(
    "float32",
    [5, 5],
    Array.from({ length: 25 }, (_, i) =>
      i % 5 > Math.floor(i / 5) ? Number.NEGATIVE_INFINITY : 0,
    ),
  );
  const own = g.op("Add", [hidden, attend(hidden, hidden, triangle)]);
  g.output("out", g.op("Add", [own, attend(own, audio, null)]), "float32", ["batch", 5, width]);
  return {
    bytes: g.model(),
    feeds: { hidden: floats([2, 5, width], 3), audio: floats([2, 7, width], 4) },
  };
}

export interface LlamaOptions {
  /** Heads repeated by Expand, by Tile, or before the transpose. */
  readonly repeat?: "expand" | "tile" | "before" | undefined;
  /** Whole groups one after another: another order of heads, which is no grouping of Heed's. */
  readonly interleaved?: boolean | undefined;
  readonly past?: number | undefined;
  /** Zeros stand at the start of the second entry. */
  readonly padLeft?: boolean | undefined;
}

/**
 * Llama: grouped heads repeated by Expand, a triangle of Range and LessOrEqual together with padding, by Where into a
 * bias of the lowest number; the softmax in float32 between casts; past and present.
 */
export function llama({
  repeat = "expand",
  interleaved,
  past = 0,
  padLeft,
}: LlamaOptions = {}): TestModel {
  const g = new Writer(18);
  const hidden = g.input("hidden", "float32", ["batch", "sequence", width]);
  const padding = g.input("attention_mask", "int64", ["batch", "total"]);
  const cache = (name: string): Value => g.input(name, "float32", ["batch", kvHeads, "past", size]);
  const [pastKey, pastValue] = [cache("past_key"), cache("past_value")];
  const query = g.heads(g.linear(hidden, width, heads * size), heads, size);
  const own = (before: Value): Value => {
    const now = g.heads(g.linear(hidden, width, kvHeads * size), kvHeads, size);
    return g.op("Concat", [before, now], { axis: 2 });
  };
  const [key, value] = [own(pastKey), own(pastValue)];
  const repeated = (x: Value): Value => {
    const [batch, length] = [g.size(x, 0), g.size(x, 2)];
    const join = (...parts: Value[]): Value => g.op("Concat", parts, { axis: 0 });
    const axis = interleaved ? 1 : 2;
    const sizes = [batch, g.integers(kvHeads), length, g.integers(size)];
    const wide = [...sizes.slice(0, axis), g.integers(heads / kvHeads), ...sizes.slice(axis)];
    const ones = [1, 1, 1, 1].toSpliced(axis, 0, heads / kvHeads);
    const single = g.unsqueeze(x, axis);
    const spread =
      repeat === "tile"
        ? g.op("Tile", [single, g.integers(...ones)])
        : g.op("Expand", [single, join(...wide)]);
    return g.op("Reshape", [spread, join(batch, g.integers(heads), length, g.integers(size))]);
  };
  const product = g.op("MatMul", [query, g.transpose(repeated(key), 0, 1, 3, 2)]);
  const scores = g.op("Mul", [product, g.float(0.5)]);
  const range = (from: Value, to: Value): Value =>
    g.op("Range", [g.op("Squeeze", [from]), g.op("Squeeze", [to]), g.scalar("int64", 1)]);
  const [total, start] = [g.size(key, 2), g.size(pastKey, 2)];
  const rows = g.unsqueeze(range(start, total), 1);
  const seen = g.op("LessOrEqual", [range(g.integers(0), total), rows]);
  const kept = g.op("Cast", [g.unsqueeze(padding, 1, 2)], { to: 9 });
  const visible = g.op("And", [g.unsqueeze(seen, 0, 1), kept]);
  const bias = g.op("Where", [visible, g.float(0), g.float(-3.4028234663852886e38)]);
  const logits = g.op("Cast", [g.op("Add", [scores, bias])], { to: 1 });
  const weights = g.op("Cast", [g.softmax(logits)], { to: 1 });
  const out = g.op("MatMul", [weights, repeated(value)]);
  const flat = g.reshape(g.transpose(out, 0, 2, 1, 3), 0, -1, heads * size);
  g.output("out", g.linear(flat, heads * size, width), "float32", ["batch", "sequence", width]);
  g.output("present_key", key, "float32", ["batch", kvHeads, "total", size]);
  g.output("present_value", value, "float32", ["batch", kvHeads, "total", size]);
  const [batch, rowsNow] = [2, 3];
  const pads = Array.from({ length: batch * (past + rowsNow) }, (_, i) => {
    const [b, j] = [Math.floor(i / (past + rowsNow)), i % (past + rowsNow)];
    return padLeft && b === 1 && j < 2 ? 0 : 1;
  });
  return {
    bytes: g.model(),
    feeds: {
      hidden: floats([batch, rowsNow, width], 5),
      attention_mask: longs([batch, past + rowsNow], pads),
      past_key: floats([batch, kvHeads, past, size], 6),
      past_value: floats([batch, kvHeads, past, size], 7),
    },
  };
}

/** Gemma 2: logits capped by tanh before the mask, a triangle of Trilu, and several queries for one key head. */
export function gemma(): TestModel {
  const g = new Writer(17);
  const hidden = g.input("hidden", "float32", ["batch", "sequence", width]);
  const query = g.heads(g.linear(hidden, width, width), 2, size);
  // One head of keys and values, which MatMul spreads by itself.
  const single = () => g.heads(g.linear(hidden, width, size), 1, size);
  const product = g.op("MatMul", [query, g.transpose(single(), 0, 1, 3, 2)]);
  const capped = g.op("Tanh", [g.op("Div", [g.op("Mul", [product, g.float(0.5)]), g.float(3)])]);
  const length = g.size(hidden, 1);
  const square = g.op("Concat", [length, length], { axis: 0 });
  const full = g.op("Expand", [g.float(Number.NEGATIVE_INFINITY), square]);
  const triangle = g.op("Trilu", [full, g.scalar("int64", 1)], { upper: 1 });
  const logits = g.op("Add", [g.op("Mul", [capped, g.float(3)]), triangle]);
  g.output("out", g.merged(g.op("MatMul", [g.softmax(logits), single()]), width), "float32", [
    "batch",
    "sequence",
    width,
  ]);
  return { bytes: g.model(), feeds: { hidden: floats([2, 5, width], 8) } };
}
