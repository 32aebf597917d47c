/** FlexAttention's graphs as they are read: constants, names, nodes and their attributes. */

import { describe, expect, test } from "vitest";
import { evaluateGraph } from "../src/attention/onnx/flex/graph.js";
import { SymbolicTensor } from "../src/attention/onnx/flex/symbolic-tensor.js";
import { InvalidInputError } from "../src/index.js";
import { variables } from "../src/program/expression.js";
import { constantOf, elementsOf, resultOf } from "./flex-elements.js";
import { graph, int, ints, type Node } from "./flex-graph.js";
import { errorOf } from "./program/error-of.js";

const constant = (attributes: object): Node => ["Constant", "", "y", attributes];
const tensorOf = (data_type: number, values: ArrayLike<unknown>, dims = [values.length]) =>
  constant({ value: { data_type, dims, values } });

test.each<[string, Node, string, readonly number[], readonly number[]]>([
  ["a float", constant({ value_float: 0.5 }), "float32", [], [0.5]],
  ["an integer", constant({ value_int: -3 }), "int32", [], [-3]],
  ["floats", constant({ value_floats: [0.5, 2] }), "float32", [2], [0.5, 2]],
  ["integers", constant({ value_ints: [4, 5, 6] }), "int32", [3], [4, 5, 6]],
  ["big integers", constant({ value_ints: [4n, -5n] }), "int32", [2], [4, -5]],
  ["a tensor", tensorOf(1, [1, 2, 3, 4], [2, 2]), "float32", [2, 2], [1, 2, 3, 4]],
  ["a tensor without axes", constant({ value: { data_type: 9, values: [true] } }), "bool", [], [1]],
  [
    "words",
    tensorOf(1, ["Infinity", "-Infinity", "NaN", 1n, true]),
    "float32",
    [5],
    [Infinity, -Infinity, Number.NaN, 1, 1],
  ],
  ["bools", tensorOf(9, [true, false, 0, 1, 1n]), "bool", [5], [1, 0, 0, 1, 1]],
  [
    "the ends of 64 bits",
    tensorOf(7, [2n ** 63n - 1n, -(2n ** 63n), 2 ** 63, -(2 ** 63)]),
    "int32",
    [4],
    [2147483647, -2147483648, 2147483647, -2147483648],
  ],
  [
    "the ends of 32 bits",
    tensorOf(6, [2147483647, -2147483648]),
    "int32",
    [2],
    [2147483647, -2147483648],
  ],
  ["an Int32Array", tensorOf(6, Int32Array.of(3, -4)), "int32", [2], [3, -4]],
  ["a Float32Array", tensorOf(1, Float32Array.of(0.25, -4)), "float32", [2], [0.25, -4]],
  ["a Uint8Array", tensorOf(9, Uint8Array.of(0, 1)), "bool", [2], [0, 1]],
  ["a Float32Array as integers", tensorOf(7, Float32Array.of(3, -4)), "int32", [2], [3, -4]],
  ["a Float64Array", tensorOf(11, Float64Array.of(3, 0.5)), "float32", [2], [3, 0.5]],
  ["a BigInt64Array", tensorOf(7, BigInt64Array.of(3n, -4n)), "int32", [2], [3, -4]],
  [
    "a tensor of five axes",
    tensorOf(7, [0, 1, 2, 3], [1, 2, 1, 2, 1]),
    "int32",
    [1, 2, 1, 2, 1],
    [0, 1, 2, 3],
  ],
  ["every type of integers", tensorOf(4, [1]), "int32", [1], [1]],
])("Constant has %s", (_, node, type, shape, values) => {
  const result = resultOf([node]);
  expect(result.known()).toEqual(values);
  expect(shape.length > 4 ? { type, shape, values } : elementsOf([node])).toEqual({
    type,
    shape,
    values,
  });
  expect(result.shape).toEqual(shape);
});

test("a tensor of more than four axes that are not one is a table as well", () => {
  const dims = [2, 2, 2, 2, 2];
  const values = Array.from({ length: 32 }, (_, n) => n * n);
  const row = constantOf([1], [5]);
  const nodes: readonly Node[] = [
    ["Reshape", "deep to", "flat"],
    ["Add", "flat row", "y"],
  ];
  expect(elementsOf(nodes, { deep: constantOf(dims, values), to: ints(4, 8), row }).values).toEqual(
    values.map((value) => value + 5),
  );
});

test("ConstantOfShape is 0, or its value, everywhere", () => {
  const shape = { sizes: ints(2, 3) };
  expect(elementsOf([["ConstantOfShape", "sizes", "y"]], shape)).toEqual({
    type: "float32",
    shape: [2, 3],
    values: [0, 0, 0, 0, 0, 0],
  });
  const value = { data_type: 7, dims: [1], values: [4] };
  expect(elementsOf([["ConstantOfShape", "sizes", "y", { value }]], shape)).toEqual({
    type: "int32",
    shape: [2, 3],
    values: [4, 4, 4, 4, 4, 4],
  });
});

test("a name means what was made last under it, and an empty domain is ONNX's own", () => {
  const score = new SymbolicTensor("float32", [], true, () => variables.score);
  const given = graph("s", [
    ["Constant", "", "y", { value_int: 1 }],
    ["Constant", "", "y", { value_int: 2 }],
  ]);
  expect(evaluateGraph("g", given, { 1: [score] }).known()).toEqual([2]);
  for (const domain of ["", "ai.onnx", undefined]) {
    const nodes = given.nodes.map((node) => ({ ...node, domain }));
    expect(evaluateGraph("g", { ...given, nodes }, { 1: [score] }).known()).toEqual([2]);
  }
});

test("a graph may have as many operands and axes as are allowed", () => {
  const inputs = new Array(64).fill("one").join(" ");
  expect(elementsOf([["Sum", inputs, "y"]], { one: 1 }).values).toEqual([64]);
  const deep = { deep: constantOf(new Array(16).fill(1), [5]) };
  expect(resultOf([["Identity", "deep", "y"]], deep).known()).toEqual([5]);
});

describe("what is not a graph is refused", () => {
  const score = new SymbolicTensor("float32", [], true, () => variables.score);
  const whole = graph("s", [["Add", "s s", "y"]], { c: 1 });
  const node = whole.nodes[0] as object;
  const [add] = whole.nodes;
  const many = new Array(65).fill("s");
  test.each<[unknown, string, string, string]>([
    [3, "g", "a graph as JSON", "3"],
    [null, "g", "a graph as JSON", "null"],
    [{ ...whole, inputs: undefined }, "g.inputs", "an array", "undefined"],
    [{ ...whole, inputs: [] }, "g.inputs", "1 or 5 inputs", "0"],
    [{ ...whole, inputs: [{}] }, "g.inputs[0].name", "a name", "undefined"],
    [{ ...whole, inputs: [null] }, "g.inputs[0].name", "a name", "null"],
    [{ ...whole, inputs: ["s"] }, "g.inputs[0].name", "a name", '"s"'],
    [{ ...whole, inputs: [{ name: 3 }] }, "g.inputs[0].name", "a name", "3"],
    [{ ...whole, initializers: 1 }, "g.initializers", "an array", "1"],
    [{ ...whole, initializers: [1] }, "g.initializers[0].name", "a name", "1"],
    [
      { ...whole, initializers: [{ name: "c" }] },
      "g.initializers[0].data_type",
      "an element type of floats, of integers of at most 64 bits or of bool",
      "undefined",
    ],
    [{ ...whole, nodes: undefined }, "g.nodes", "an array", "undefined"],
    [{ ...whole, nodes: [null] }, "g.nodes[0]", "a node", "null"],
    [{ ...whole, nodes: [7] }, "g.nodes[0]", "a node", "7"],
    [{ ...whole, nodes: [{}] }, "g.nodes[0].inputs", "an array", "undefined"],
    [{ ...whole, nodes: [node, { ...node, inputs: "s" }] }, "g.nodes[1].inputs", "an array", '"s"'],
    [
      { ...whole, nodes: [{ ...node, inputs: ["t"] }] },
      "g.nodes[0] (Add)",
      "inputs that are made before it",
      '"t"',
    ],
    [
      { ...whole, nodes: [{ ...node, inputs: [3] }] },
      "g.nodes[0] (Add)",
      "inputs that are made before it",
      "3",
    ],
    [
      { ...whole, nodes: [{ ...node, inputs: many }] },
      "g.nodes[0].inputs",
      "at most 64 elements",
      "65",
    ],
    [
      { ...whole, nodes: [{ ...node, outputs: many }] },
      "g.nodes[0].outputs",
      "at most 64 elements",
      "65",
    ],
    [{ ...whole, nodes: [{ ...node, outputs: [] }] }, "g.nodes[0] (Add)", "one output", "[]"],
    [{ ...whole, nodes: [{ ...node, outputs: [4] }] }, "g.nodes[0] (Add)", "one output", "[4]"],
    [
      { ...whole, nodes: [{ ...node, domain: "a" }] },
      "g.nodes[0] (Add)",
      "an operator of ONNX's own domain",
      '"a"',
    ],
    [
      { ...whole, nodes: [{ ...node, domain: null }] },
      "g.nodes[0] (Add)",
      "an operator of ONNX's own domain",
      "null",
    ],
    [{ ...whole, outputs: undefined }, "g.outputs", "an array", "undefined"],
    [{ ...whole, outputs: [] }, "g.outputs", "one output", "0"],
    [{ ...whole, outputs: [{ name: "y" }, { name: "y" }] }, "g.outputs", "one output", "2"],
    [{ ...whole, outputs: [{}] }, "g.outputs[0].name", "a name", "undefined"],
    [{ ...whole, outputs: [{ name: "z" }] }, "g.outputs[0].name", "a value of the graph", '"z"'],
  ])("%j", (given, argument, expected, actual) => {
    const inputs = { 1: [score], 5: [score, score, score, score, score] };
    const error = errorOf(() => evaluateGraph("g", given, inputs));
    expect([error.argument, error.expected, error.actual]).toEqual([argument, expected, actual]);
  });

  test("an operator that has no name, or one of an object's own members, is none", () => {
    for (const [op_type, shown, actual] of [
      [undefined, "?", "undefined"],
      [5, "?", "5"],
      ["toString", "toString", '"toString"'],
      ["constructor", "constructor", '"constructor"'],
    ]) {
      const nodes = [{ ...add, op_type }];
      const error = errorOf(() => evaluateGraph("g", { ...whole, nodes }, { 1: [score] }));
      expect(error.argument).toBe(`g.nodes[0] (${shown})`);
      expect(error.expected).toMatch(
        /^one of the operators Abs, Add, And, Cast, Ceil, Clip, Concat, Constant, ConstantOfShape, /,
      );
      expect(error.actual).toBe(actual);
    }
  });
});

describe("constants and attributes that are none are refused", () => {
  const other = "values";
  test.each<[string, Node, string, string, string]>([
    [
      "no value",
      constant({}),
      "",
      "value, value_float, value_int, value_floats or value_ints",
      "none of them",
    ],
    ["a value that is no tensor", constant({ value: 3 }), "", "a tensor", "3"],
    ["a value that is null", constant({ value: null }), "", "a tensor", "null"],
    [
      "an element type that is none",
      tensorOf(8, [1]),
      "data_type",
      "an element type of floats, of integers of at most 64 bits or of bool",
      "8",
    ],
    [
      "sizes that are none",
      constant({ value: { data_type: 1, dims: [-1], values: [1] } }),
      "dims",
      "sizes",
      "-1",
    ],
    [
      "sizes that are broken",
      constant({ value: { data_type: 1, dims: [0.5], values: [1] } }),
      "dims",
      "sizes",
      "0.5",
    ],
    [
      "sizes in no list",
      constant({ value: { data_type: 1, dims: 1, values: [1] } }),
      "dims",
      "an array",
      "1",
    ],
    [
      "too many sizes",
      constant({ value: { data_type: 1, dims: new Array(17).fill(1), values: [1] } }),
      "dims",
      "at most 16 elements",
      "17",
    ],
    [
      "elements in no list",
      constant({ value: { data_type: 1, dims: [1], values: 3 } }),
      other,
      "an array of elements",
      "3",
    ],
    [
      "fewer elements",
      tensorOf(1, [1], [2]),
      other,
      "2 elements, of shape [2] without a size of 0",
      "1",
    ],
    [
      "more elements",
      tensorOf(1, [1, 2], [1]),
      other,
      "1 elements, of shape [1] without a size of 0",
      "2",
    ],
    [
      "no elements",
      tensorOf(1, [], [0]),
      other,
      "0 elements, of shape [0] without a size of 0",
      "0",
    ],
    ["a float that is a word", tensorOf(1, ["inf"]), other, "numbers", '"inf"'],
    ["a float that is null", tensorOf(1, [null]), other, "numbers", "null"],
    ["a word of an object", tensorOf(1, ["toString"]), other, "numbers", '"toString"'],
    [
      "a broken integer",
      tensorOf(7, [0.5]),
      other,
      "32-bit integers: programs have no longer ones",
      "0.5",
    ],
    [
      "an integer that is a word",
      tensorOf(7, ["Infinity"]),
      other,
      "32-bit integers: programs have no longer ones",
      '"Infinity"',
    ],
    [
      "an integer above 32 bits",
      tensorOf(7, [2 ** 31]),
      other,
      "32-bit integers: programs have no longer ones",
      "2147483648",
    ],
    [
      "an integer below 32 bits",
      tensorOf(7, [-(2 ** 31) - 1]),
      other,
      "32-bit integers: programs have no longer ones",
      "-2147483649",
    ],
    ["a bool that is 2", tensorOf(9, [2]), other, "bools, or 0 and 1", "2"],
    [
      "a bool of 64 bits",
      tensorOf(9, [2n ** 63n]),
      other,
      "bools, or 0 and 1",
      "9223372036854775808",
    ],
    [
      "ConstantOfShape of two values",
      ["ConstantOfShape", "sizes", "y", { value: { data_type: 1, dims: [2], values: [1, 2] } }],
      "",
      "one element as value",
      "2",
    ],
    [
      "ConstantOfShape without a shape",
      ["ConstantOfShape", "-", "y"],
      "",
      "a shape as input 0",
      "none",
    ],
    [
      "Cast to nothing",
      ["Cast", "sizes", "y"],
      ": to",
      "an element type of floats, of integers of at most 64 bits or of bool",
      "0",
    ],
    [
      "an axis that is a word",
      ["Concat", "sizes", "y", { axis: "0" }],
      "",
      "an integer as axis",
      '"0"',
    ],
    [
      "an axis that is broken",
      ["Concat", "sizes", "y", { axis: 0.5 }],
      "",
      "an integer as axis",
      "0.5",
    ],
    [
      "axes in no list",
      ["Squeeze", "sizes", "y", { axes: 0 }],
      "",
      "at most 16 integers as axes",
      "0",
    ],
    [
      "axes that are words",
      ["Squeeze", "sizes", "y", { axes: ["0"] }],
      "",
      "integers as axes",
      '"0"',
    ],
    [
      "axes that are broken",
      ["Squeeze", "sizes", "y", { axes: [0.5] }],
      "",
      "integers as axes",
      "0.5",
    ],
  ])("%s", (_, node, member, expected, actual) => {
    const error = errorOf(() => resultOf([node], { sizes: ints(2), one: int(1) }));
    expect(error).toBeInstanceOf(InvalidInputError);
    const separator = member === "" || member.startsWith(":") ? "" : ".";
    expect(error.argument).toBe(`graph.nodes[0] (${node[0]})${separator}${member}`);
    expect([error.expected, error.actual]).toEqual([expected, actual]);
  });

  test("sixteen axes may be listed, seventeen not", () => {
    const axes = (length: number) => new Array<number>(length).fill(0);
    const squeeze = (length: number): Node => ["Squeeze", "one", "y", { axes: axes(length) }];
    const constants = { one: constantOf([1, 2]) };
    expect(elementsOf([squeeze(16)], constants).shape).toEqual([2]);
    expect(errorOf(() => resultOf([squeeze(17)], constants)).expected).toBe(
      "at most 16 integers as axes",
    );
    const big = elementsOf([["Squeeze", "one", "y", { axes: [0n] }]], constants);
    expect(big.shape).toEqual([2]);
    const concat = elementsOf([["Concat", "one one", "y", { axis: 1n }]], constants);
    expect(concat.shape).toEqual([1, 4]);
  });
});
