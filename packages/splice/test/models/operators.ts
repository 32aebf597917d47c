import type { Value } from "@heed/backend-onnx/model";
import { floats, type TestModel, Writer } from "./writer.js";

const width = 8;
const contrib = "com.microsoft";

/** ONNX's own operator, causal, with a past and its logits. */
export function attentionOperator(opset = 23): TestModel {
  const g = new Writer(opset);
  const input = (name: string, length: string): Value =>
    g.input(name, "float32", ["batch", length, width]);
  const [q, k, v] = [input("q", "rows"), input("k", "rows"), input("v", "rows")];
  const past = (name: string): Value => g.input(name, "float32", ["batch", 2, "past", 4]);
  const [y, key, value] = g.node(
    "Attention",
    [g.linear(q, width, width), k, v, "", past("past_key"), past("past_value")],
    ["y", "key", "value"],
    { q_num_heads: 2, kv_num_heads: 2, is_causal: 1, softcap: { float: 2.5 } },
  );
  g.output("out", g.linear(y, width, width), "float32", ["batch", "rows", width]);
  g.output("present_key", key, "float32", ["batch", 2, "total", 4]);
  g.output("present_value", value, "float32", ["batch", 2, "total", 4]);
  return {
    bytes: g.model(),
    feeds: {
      q: floats([2, 3, width], 1),
      k: floats([2, 3, width], 2),
      v: floats([2, 3, width], 3),
      past_key: floats([2, 2, 4, 4], 4),
      past_value: floats([2, 2, 4, 4], 5),
    },
  };
}

/** As onnxruntime's optimiser writes encoders: biases, and padding, are the operator's. */
export function multiHeadOperator(padded = true): TestModel {
  const g = new Writer(17);
  const hidden = g.input("hidden", "float32", ["batch", 5, width]);
  const padding = padded ? [g.input("padding", "int32", ["batch", 5])] : [];
  const part = () => g.op("MatMul", [hidden, g.weight(width, width)]);
  const inputs = [part(), part(), part(), g.weight(3 * width), ...padding];
  const out = g.op("MultiHeadAttention", inputs, { num_heads: 2 }, contrib);
  g.output("out", g.linear(out, width, width), "float32", ["batch", 5, width]);
  return {
    bytes: g.model(),
    feeds: {
      hidden: floats([2, 5, width], 1),
      ...(padded && {
        padding: {
          type: "int32",
          data: Int32Array.from([1, 1, 1, 1, 1, 1, 1, 1, 0, 0]),
          dims: [2, 5],
        },
      }),
    },
  };
}

/** Decoders that onnxruntime's optimiser fused: causal, with a past and a present, and a bias of scores. */
export function multiHeadDecoder(): TestModel {
  const g = new Writer(17);
  const hidden = g.input("hidden", "float32", ["batch", "rows", width]);
  const past = (name: string): Value => g.input(name, "float32", ["batch", 2, "past", 4]);
  const part = () => g.linear(hidden, width, width);
  const [y, key, value] = g.node(
    "MultiHeadAttention",
    [part(), part(), part(), "", "", g.weight(1, 2, 3, 7), past("past_key"), past("past_value")],
    ["y", "key", "value"],
    { num_heads: 2, unidirectional: 1 },
    contrib,
  );
  g.output("out", g.linear(y, width, width), "float32", ["batch", "rows", width]);
  g.output("present_key", key, "float32", ["batch", 2, "total", 4]);
  g.output("present_value", value, "float32", ["batch", 2, "total", 4]);
  return {
    bytes: g.model(),
    feeds: {
      hidden: floats([2, 3, width], 1),
      past_key: floats([2, 2, 4, 4], 2),
      past_value: floats([2, 2, 4, 4], 3),
    },
  };
}

/** Decoders of onnxruntime-genai: grouped heads, rotary embedding and caches are the operator's. */
export function groupQueryOperator(past: number): TestModel {
  const g = new Writer(18);
  const rows = past === 0 ? 3 : 1;
  const hidden = g.input("hidden", "float32", ["batch", "rows", width]);
  const cache = (name: string): Value => g.input(name, "float32", ["batch", 1, "past", 16]);
  const lengths = g.input("lengths", "int32", ["batch"]);
  const total = g.input("total", "int32", [1]);
  const [y, key, value] = g.node(
    "GroupQueryAttention",
    [
      g.linear(hidden, width, 32),
      g.linear(hidden, width, 16),
      g.linear(hidden, width, 16),
      cache("past_key"),
      cache("past_value"),
      lengths,
      total,
      g.weight(16, 8),
      g.weight(16, 8),
    ],
    ["y", "key", "value"],
    { num_heads: 2, kv_num_heads: 1, do_rotary: 1 },
    contrib,
  );
  g.output("out", g.linear(y, 32, width), "float32", ["batch", "rows", width]);
  g.output("present_key", key, "float32", ["batch", 1, "total_rows", 16]);
  g.output("present_value", value, "float32", ["batch", 1, "total_rows", 16]);
  const integers = (values: number[]) =>
    ({ type: "int32", data: Int32Array.from(values), dims: [values.length] }) as const;
  return {
    bytes: g.model(),
    feeds: {
      hidden: floats([2, rows, width], 1),
      past_key: floats([2, 1, past, 16], 2),
      past_value: floats([2, 1, past, 16], 3),
      lengths: integers([past + rows - 1, past + rows - 1]),
      total: integers([past + rows]),
    },
  };
}

/** com.microsoft.Attention: projections, past and present are the operator's. */
export function packedOperator(past: number): TestModel {
  const g = new Writer(17);
  const given = g.input("hidden", "float32", ["batch", "rows", width]);
  const hidden = g.linear(given, width, width);
  const before = g.input("past", "float32", [2, "batch", 2, "past", 4]);
  const [y, present] = g.node(
    "Attention",
    [hidden, g.weight(width, 3 * width), g.weight(3 * width), "", before],
    ["y", "present"],
    { num_heads: 2, unidirectional: 1 },
    contrib,
  );
  g.output("out", g.linear(y, width, width), "float32", ["batch", "rows", width]);
  g.output("present", present, "float32", [2, "batch", 2, "total", 4]);
  return {
    bytes: g.model(),
    feeds: { hidden: floats([2, 3, width], 1), past: floats([2, 2, 2, past, 4], 2) },
  };
}

/** com.microsoft.Attention with padding: numbers of keys, and for some runtimes where they start. */
export function packedPadding(form: "lengths" | "mask" | "starts"): TestModel {
  const g = new Writer(17);
  const hidden = g.input("hidden", "float32", ["batch", 5, width]);
  const mask = g.input("mask", "int32", form === "mask" ? ["batch", 5] : ["entries"]);
  const inputs = [hidden, g.weight(width, 3 * width), g.weight(3 * width), mask];
  const y = g.op("Attention", inputs, { num_heads: 2 }, contrib);
  g.output("out", y, "float32", ["batch", 5, width]);
  const values = { lengths: [5, 3], mask: [1, 1, 1, 1, 1, 1, 1, 1, 0, 0], starts: [5, 3, 1, 0] }[
    form
  ];
  return {
    bytes: g.model(),
    feeds: {
      hidden: floats([2, 5, width], 1),
      mask: {
        type: "int32",
        data: Int32Array.from(values),
        dims: form === "mask" ? [2, 5] : [values.length],
      },
    },
  };
}
