import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { Value } from "@heed/backend-onnx/model";
import {
  AttributeProto_AttributeType,
  AttributeProtoSchema,
  type ModelProto,
  ModelProtoSchema,
  NodeProtoSchema,
} from "@heed/backend-onnx/proto";
import { floats, type TestModel, Writer } from "./writer.js";

const width = 8;
const rows = 5;

interface Step {
  readonly g: Writer;
  readonly query: Value;
  /** `[batch, heads, size, keys]`. */
  readonly key: Value;
  readonly value: Value;
  readonly hidden: Value;
}

/** A layer of attention whose middle is given: from query, key and value to the product with the values. */
function layer(
  middle: (step: Step) => Value,
  opset = 17,
  more: (g: Writer) => void = () => {},
): TestModel {
  const g = new Writer(opset);
  const hidden = g.input("hidden", "float32", ["batch", rows, width]);
  const part = () => g.heads(g.linear(hidden, width, width), 2, 4);
  const [query, value] = [part(), part()];
  const key = g.transpose(part(), 0, 1, 3, 2);
  const out = middle({ g, query, key, value, hidden });
  g.output("out", g.merged(out, width), "float32", ["batch", rows, width]);
  more(g);
  return { bytes: g.model(), feeds: { hidden: floats([2, rows, width], 21) } };
}

const product = ({ g, query, key }: Step): Value => g.op("MatMul", [query, key]);
const attend = ({ g, value }: Step, logits: Value): Value =>
  g.op("MatMul", [g.softmax(logits), value]);

/** A temperature of each head, made by the model: no number, and not the scale of all heads. */
export const scalePerHead: TestModel = layer((step) => {
  const { g, hidden } = step;
  const mean = g.op("ReduceMean", [hidden], { axes: [0, 1], keepdims: 0 });
  const two = g.op("MatMul", [mean, g.weight(width, 2)]);
  return attend(step, g.op("Mul", [product(step), g.unsqueeze(two, 0, 2, 3)]));
});

/** A scale that the model computes, in a tensor of one element. */
export const scaleOfData: TestModel = layer((step) => {
  const { g, hidden } = step;
  const mean = g.op("ReduceMean", [hidden], { keepdims: 0 });
  return attend(step, g.op("Mul", [product(step), g.op("Abs", [mean])]));
});

/** Weights that a gate changes before the values. */
export const gatedWeights: TestModel = layer((step) => {
  const { g } = step;
  const gated = g.op("Mul", [g.softmax(product(step)), g.op("Sigmoid", [product(step)])]);
  return g.op("MatMul", [gated, step.value]);
});

/** Values that depend on the weights: the site would have to run before itself. */
export const circular: TestModel = layer((step) => {
  const { g, value } = step;
  const weights = g.softmax(product(step));
  const share = g.op("ReduceMax", [weights], { axes: [3], keepdims: 1 });
  return g.op("MatMul", [weights, g.op("Mul", [value, share])]);
});

/** A mask with a batch of its own, which spreads the scores. */
export const spreadingMask: TestModel = (() => {
  const g = new Writer(17);
  const query = g.input("query", "float32", [1, 2, rows, 4]);
  const key = g.input("key", "float32", [1, 2, rows, 4]);
  const mask = g.input("mask", "float32", ["batch", 1, rows, rows]);
  const logits = g.op("Add", [g.op("MatMul", [query, g.transpose(key, 0, 1, 3, 2)]), mask]);
  g.output("out", g.op("MatMul", [g.softmax(logits), key]), "float32", ["batch", 2, rows, 4]);
  return {
    bytes: g.model(),
    feeds: {
      query: floats([1, 2, rows, 4], 1),
      key: floats([1, 2, rows, 4], 2),
      mask: floats([3, 1, rows, rows], 3),
    },
  };
})();

/** Rows that see no key, whose NaN becomes 0: weights that are safe. */
export const safeRows: TestModel = layer((step) => {
  const { g } = step;
  const bias = Array.from({ length: rows * rows }, (_, i) =>
    i < rows ? Number.NEGATIVE_INFINITY : 0,
  );
  const weights = g.softmax(
    g.op("Add", [product(step), g.constant("float32", [rows, rows], bias)]),
  );
  const safe = g.op("Where", [g.op("IsNaN", [weights]), g.float(0), weights]);
  return g.op("MatMul", [safe, step.value]);
});

/** Rows that see no key by −1e9, where rounding decides what is left of the scores. */
export const emptyRows: TestModel = layer((step) => {
  const { g } = step;
  const bias = Array.from({ length: rows * rows }, (_, i) => (i < rows ? -1e9 : 0));
  return attend(step, g.op("Add", [product(step), g.constant("float32", [rows, rows], bias)]));
});

/** A fill of −5, which hides nothing. */
export const mildFill: TestModel = layer((step) => {
  const { g } = step;
  const seen = g.constant(
    "bool",
    [1, 1, rows, rows],
    Array.from({ length: 25 }, (_, i) => i % 2),
  );
  return attend(step, g.op("Where", [seen, product(step), g.float(-5)]));
});

/** Scores of which a part is added to another: the logits are no single product. */
export const talkingHeads: TestModel = layer((step) => {
  const { g } = step;
  const turned = g.transpose(product(step), 0, 2, 3, 1);
  const mixed = g.transpose(g.op("MatMul", [turned, g.weight(2, 2)]), 0, 3, 1, 2);
  return attend(step, mixed);
});

/** Two values with the same weights. */
export const sharedWeights: TestModel = layer((step) => {
  const { g, value, query } = step;
  const weights = g.softmax(product(step));
  return g.op("Add", [g.op("MatMul", [weights, value]), g.op("MatMul", [weights, query])]);
});

/** A mask by Where with the scores as its third input. */
export const inverted: TestModel = layer((step) => {
  const { g } = step;
  const hidden = g.constant(
    "bool",
    [rows, rows],
    Array.from({ length: 25 }, (_, i) => Number(i % rows > Math.floor(i / rows))),
  );
  return attend(step, g.op("Where", [hidden, g.float(-1e9), product(step)]));
});

/** A bias that is scaled after it was added, and a number that is subtracted. */
export const scaledBias: TestModel = layer((step) => {
  const { g } = step;
  const biased = g.op("Sub", [
    g.op("Add", [product(step), g.weight(1, 2, rows, rows)]),
    g.weight(rows),
  ]);
  return attend(step, g.op("Mul", [g.float(0.25), biased]));
});

/** Products in float16 around a softmax in float32. */
export const float16: TestModel = (() => {
  const g = new Writer(17);
  const hidden = g.input("hidden", "float32", ["batch", rows, width]);
  const part = () => g.cast(g.heads(g.linear(hidden, width, width), 2, 4), "float32", "float16");
  const scores = g.op("MatMul", [part(), g.transpose(part(), 0, 1, 3, 2)]);
  const wide = g.cast(g.op("Mul", [scores, g.scalar("float16", 0.5)]), "float16", "float32");
  const weights = g.cast(g.softmax(wide), "float32", "float16");
  g.output("out", g.op("MatMul", [weights, part()]), "float16", ["batch", 2, rows, 4]);
  return { bytes: g.model(), feeds: { hidden: floats([2, rows, width], 31) } };
})();

/** The model as the body of an If, beside a layer outside. */
export function insideIf(inner: TestModel, outer: TestModel): TestModel {
  const model = fromBinary(ModelProtoSchema, outer.bytes);
  const body = fromBinary(ModelProtoSchema, inner.bytes).graph as NonNullable<ModelProto["graph"]>;
  const graph = model.graph as NonNullable<ModelProto["graph"]>;
  // The body reads the outer graph's input, by its name, and has names of its own for the rest.
  const rename = (name: string): string =>
    name === "" || name === "hidden" ? name : `inner_${name}`;
  for (const node of body.node) {
    node.input = node.input.map(rename);
    node.output = node.output.map(rename);
    node.name = rename(node.name);
  }
  for (const one of [...body.initializer, ...body.output]) one.name = rename(one.name);
  body.input = [];
  const branch = (name: string) =>
    create(AttributeProtoSchema, { name, type: AttributeProto_AttributeType.GRAPH, g: body });
  const condition = create(NodeProtoSchema, {
    opType: "Constant",
    output: ["condition"],
    attribute: [
      create(AttributeProtoSchema, {
        name: "value",
        type: AttributeProto_AttributeType.TENSOR,
        t: { dims: [], dataType: 9, rawData: Uint8Array.of(1) },
      }),
    ],
  });
  graph.node.push(
    condition,
    create(NodeProtoSchema, {
      opType: "If",
      name: "choice",
      input: ["condition"],
      output: ["chosen"],
      attribute: [branch("then_branch"), branch("else_branch")],
    }),
  );
  const [output] = graph.output;
  if (output) graph.output.push({ ...output, name: "chosen" });
  return { bytes: toBinary(ModelProtoSchema, model), feeds: outer.feeds };
}

export const plain: TestModel = layer((step) => attend(step, product(step)));
