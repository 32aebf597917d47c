/** Operators of FlexAttention's graphs that give values other places or say sizes, by what ONNX says that they give. */
import { describe, expect, test } from "vitest";
import { variables } from "../src/program/expression.js";
import { type NumberExpression, scoreMod } from "../src/program.js";
import { constantOf, elementsOf, floatsOf, resultOf } from "./flex-elements.js";
import { type Constants, int, ints, type Node } from "./flex-graph.js";
import { errorOf } from "./program/error-of.js";

/** `row` is [10 … 15], `matrix` [3, 4] and `cube` [2, 3, 2] count from 0, `column` [3, 1] is 0, 1, 2. */
const tensors: Constants = {
  row: constantOf([6], [10, 11, 12, 13, 14, 15]),
  matrix: constantOf([3, 4]),
  cube: constantOf([2, 3, 2]),
  column: constantOf([3, 1]),
  floats: floatsOf(0.5, 1.5),
  zero: int(0),
};

type Case = readonly [
  name: string,
  node: Node,
  constants: Constants,
  shape: readonly number[],
  values: readonly number[],
];

const slice = (
  of: string,
  starts: readonly number[],
  ends: readonly number[],
  axes?: readonly number[],
  steps?: readonly number[],
): [Node, Constants] => [
  ["Slice", `${of} starts ends ${axes ? "axes" : "-"} ${steps ? "steps" : "-"}`, "y"],
  {
    starts: ints(...starts),
    ends: ints(...ends),
    ...(axes && { axes: ints(...axes) }),
    ...(steps && { steps: ints(...steps) }),
  },
];
/** A slice of `row` by start, end and step. */
const ofRow = (start: number, end: number, step: number, values: readonly number[]): Case => [
  `Slice [${start}:${end}:${step}]`,
  ...slice("row", [start], [end], [0], [step]),
  [values.length],
  values,
];
const ofTen = [10, 11, 12, 13, 14, 15];
const reversed = [...ofTen].reverse();

const slices: readonly Case[] = [
  ofRow(1, 4, 1, [11, 12, 13]),
  ofRow(-4, -1, 1, [12, 13, 14]),
  ofRow(-99, 99, 1, ofTen),
  ofRow(0, 6, 2, [10, 12, 14]),
  ofRow(1, 6, 2, [11, 13, 15]),
  ofRow(0, 5, 2, [10, 12, 14]),
  ofRow(5, 0, -2, [15, 13, 11]),
  ofRow(-1, -99, -1, reversed),
  ofRow(99, -99, -1, reversed),
  ofRow(3, -7, -1, [13, 12, 11, 10]),
  ofRow(5, 1, -3, [15, 12]),
  ofRow(4, 2, 1, []),
  ofRow(6, 9, 1, []),
  ofRow(2, 4, -1, []),
  ofRow(-99, 99, -1, []),
  // ONNX moves a start before the first element there, and an end to before it.
  ofRow(-99, -99, -1, [10]),
  ["Slice of leading axes", ...slice("matrix", [1, 1], [3, 3]), [2, 2], [5, 6, 9, 10]],
  ["Slice of the first axis", ...slice("matrix", [1], [2]), [1, 4], [4, 5, 6, 7]],
  ["Slice of an axis", ...slice("matrix", [2], [9], [1]), [3, 2], [2, 3, 6, 7, 10, 11]],
  [
    "Slice of a negative axis, backwards",
    ...slice("matrix", [-1], [-9], [-1], [-2]),
    [3, 2],
    [3, 1, 7, 5, 11, 9],
  ],
  [
    "Slice with steps and the axes left out",
    ...slice("matrix", [0, 1], [3, 4], undefined, [2, 2]),
    [2, 2],
    [1, 3, 9, 11],
  ],
  [
    "Slice of two axes in another order",
    ...slice("matrix", [1, 2], [4, 0], [1, 0], [2, -1]),
    [2, 2],
    [9, 11, 5, 7],
  ],
];

const count = (length: number): number[] => Array.from({ length }, (_, n) => n);
const reshapes: readonly Case[] = [
  ["Reshape", ["Reshape", "matrix to", "y"], { to: ints(2, 6) }, [2, 6], count(12)],
  ["Reshape to one axis", ["Reshape", "matrix to", "y"], { to: ints(-1) }, [12], count(12)],
  [
    "Reshape with sizes that stay",
    ["Reshape", "matrix to", "y"],
    { to: ints(0, 2, -1) },
    [3, 2, 2],
    count(12),
  ],
  ["Reshape of a cube", ["Reshape", "cube to", "y"], { to: ints(3, 4) }, [3, 4], count(12)],
  ["Reshape of axes of one", ["Reshape", "column to", "y"], { to: ints(1, 3) }, [1, 3], [0, 1, 2]],
  [
    "Reshape that only adds axes of one",
    ["Reshape", "matrix to", "y"],
    { to: ints(3, 1, 4) },
    [3, 1, 4],
    count(12),
  ],
  ["Reshape to itself", ["Reshape", "matrix to", "y"], { to: ints(3, 4) }, [3, 4], count(12)],
  [
    "Reshape of a number",
    ["Reshape", "zero to", "y"],
    { to: ints(1, -1, 1), zero: int(7) },
    [1, 1, 1],
    [7],
  ],
  ["Unsqueeze by input", ["Unsqueeze", "row to", "y"], { to: ints(0) }, [1, 6], ofTen],
  ["Unsqueeze at the end", ["Unsqueeze", "row to", "y"], { to: ints(-1) }, [6, 1], ofTen],
  ["Unsqueeze by attribute", ["Unsqueeze", "row", "y", { axes: [0, 2] }], {}, [1, 6, 1], ofTen],
  ["Unsqueeze inside", ["Unsqueeze", "matrix to", "y"], { to: ints(1) }, [3, 1, 4], count(12)],
  ["Squeeze", ["Squeeze", "column", "y"], {}, [3], count(3)],
  ["Squeeze, axes left out", ["Squeeze", "column -", "y"], {}, [3], count(3)],
  ["Squeeze by input", ["Squeeze", "column to", "y"], { to: ints(-1) }, [3], count(3)],
  [
    "Squeeze by attribute",
    ["Squeeze", "ones", "y", { axes: [0] }],
    { ones: constantOf([1, 2, 1]) },
    [2, 1],
    count(2),
  ],
  ["Unsqueeze by nothing", ["Unsqueeze", "row", "y"], {}, [6], ofTen],
  ["Squeeze of nothing", ["Squeeze", "matrix", "y"], {}, [3, 4], count(12)],
];

const others: readonly Case[] = [
  [
    "Expand of a column",
    ["Expand", "column to", "y"],
    { to: ints(3, 2) },
    [3, 2],
    [0, 0, 1, 1, 2, 2],
  ],
  [
    "Expand by a leading axis",
    ["Expand", "column to", "y"],
    { to: ints(2, 1, 1) },
    [2, 3, 1],
    [0, 1, 2, 0, 1, 2],
  ],
  [
    "Expand to fewer axes",
    ["Expand", "column to", "y"],
    { to: ints(2) },
    [3, 2],
    [0, 0, 1, 1, 2, 2],
  ],
  ["Expand to ones", ["Expand", "matrix to", "y"], { to: ints(1, 1) }, [3, 4], count(12)],
  ["Transpose", ["Transpose", "matrix", "y"], {}, [4, 3], [0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11]],
  [
    "Transpose of a cube",
    ["Transpose", "cube", "y"],
    {},
    [2, 3, 2],
    [0, 6, 2, 8, 4, 10, 1, 7, 3, 9, 5, 11],
  ],
  [
    "Transpose by perm",
    ["Transpose", "cube", "y", { perm: [1, 2, 0] }],
    {},
    [3, 2, 2],
    [0, 6, 1, 7, 2, 8, 3, 9, 4, 10, 5, 11],
  ],
  [
    "Transpose by another perm",
    ["Transpose", "cube", "y", { perm: [2, 0, 1] }],
    {},
    [2, 2, 3],
    [0, 2, 4, 6, 8, 10, 1, 3, 5, 7, 9, 11],
  ],
  [
    "Transpose that keeps the order",
    ["Transpose", "matrix", "y", { perm: [0, 1] }],
    {},
    [3, 4],
    count(12),
  ],
  ["Gather", ["Gather", "matrix at", "y"], { at: ints(2, 0) }, [2, 4], [8, 9, 10, 11, 0, 1, 2, 3]],
  [
    "Gather along axis 1",
    ["Gather", "matrix at", "y", { axis: 1 }],
    { at: ints(3, 0) },
    [3, 2],
    [3, 0, 7, 4, 11, 8],
  ],
  [
    "Gather along the last axis, from the end",
    ["Gather", "matrix at", "y", { axis: -1 }],
    { at: ints(-1, -4, 1) },
    [3, 3],
    [3, 0, 1, 7, 4, 5, 11, 8, 9],
  ],
  [
    "Gather by a matrix",
    ["Gather", "row at", "y"],
    { at: constantOf([2, 2], [0, -6, 5, -1]) },
    [2, 2],
    [10, 10, 15, 15],
  ],
  [
    "Gather by a number",
    ["Gather", "cube at", "y", { axis: 1 }],
    { at: int(2) },
    [2, 2],
    [4, 5, 10, 11],
  ],
  [
    "Concat",
    ["Concat", "matrix more", "y"],
    { more: constantOf([1, 4], [20, 21, 22, 23]) },
    [4, 4],
    [...count(12), 20, 21, 22, 23],
  ],
  [
    "Concat along axis 1",
    ["Concat", "column matrix column", "y", { axis: 1 }],
    {},
    [3, 6],
    [0, 0, 1, 2, 3, 0, 1, 4, 5, 6, 7, 1, 2, 8, 9, 10, 11, 2],
  ],
  [
    "Concat along the last axis",
    ["Concat", "row more", "y", { axis: -1 }],
    { more: ints(1, 2) },
    [8],
    [10, 11, 12, 13, 14, 15, 1, 2],
  ],
  ["Concat of one", ["Concat", "row", "y", { axis: 0 }], {}, [6], [10, 11, 12, 13, 14, 15]],
  ["Shape", ["Shape", "cube", "y"], {}, [3], [2, 3, 2]],
  ["Shape from a start", ["Shape", "cube", "y", { start: 1 }], {}, [2], [3, 2]],
  ["Shape to an end", ["Shape", "cube", "y", { end: -1 }], {}, [2], [2, 3]],
  ["Shape inside", ["Shape", "cube", "y", { start: -2, end: 2 }], {}, [1], [3]],
  ["Shape beyond both ends", ["Shape", "cube", "y", { start: -9, end: 9 }], {}, [3], [2, 3, 2]],
  ["Shape of nothing", ["Shape", "cube", "y", { start: 2, end: 1 }], {}, [0], []],
  ["Size", ["Size", "cube", "y"], {}, [], [12]],
  ["Range", ["Range", "a b c", "y"], { a: int(2), b: int(11), c: int(3) }, [3], [2, 5, 8]],
  [
    "Range whose end is not reached",
    ["Range", "a b c", "y"],
    { a: int(2), b: int(9), c: int(3) },
    [3],
    [2, 5, 8],
  ],
  [
    "Range downwards",
    ["Range", "a b c", "y"],
    { a: int(3), b: int(-2), c: int(-2) },
    [3],
    [3, 1, -1],
  ],
  ["Range of nothing", ["Range", "a b c", "y"], { a: int(3), b: int(1), c: int(1) }, [0], []],
  ["Range of floats", ["Range", "a b c", "y"], { a: 0.5, b: 2.25, c: 0.5 }, [4], [0.5, 1, 1.5, 2]],
];

test.each([...slices, ...reshapes, ...others])("%s", (_, node, constants, shape, values) => {
  const given = elementsOf([node], { ...tensors, ...constants });
  expect(given.shape).toEqual(shape);
  expect(given.values).toEqual(values);
});

test("a result keeps its type, and whether it holds scores", () => {
  expect(elementsOf([["Gather", "floats zero", "y"]], tensors).type).toBe("float32");
  expect(
    elementsOf([["Transpose", "truths", "y"]], { truths: constantOf([2], [1, 0], 9) }),
  ).toEqual({ type: "bool", shape: [2], values: [1, 0] });
  const constants = { ...tensors, zeros: ints(0), tens: ints(9) };
  const table: readonly Node[] = [
    ["Cast", "score", "place", { to: 6 }],
    ["Gather", "floats place", "y"],
  ];
  expect(resultOf(table, constants).hasScores).toBe(true);
  expect(resultOf([["Squeeze", "score", "y"]], constants).hasScores).toBe(true);
  expect(resultOf([["Gather", "floats zero", "y"]], constants).hasScores).toBe(false);
  expect(resultOf([["Slice", "row zeros tens", "y"]], constants).hasScores).toBe(false);
});

describe("nodes that move scores, or do not fit, are refused", () => {
  const constants = {
    ...tensors,
    ones: ints(1, 1),
    two: ints(2),
    three: ints(3),
    minus: ints(-1),
    five: ints(5, 3),
  };
  const stay = "a value that is not computed from the scores, which stay in their places";
  test.each<[string, Node, string, string]>([
    ["Transpose of scores", ["Transpose", "score", "y"], stay, "scores"],
    ["Gather of scores", ["Gather", "score zero", "y"], stay, "scores"],
    ["Slice of scores", ["Slice", "score two two", "y"], stay, "scores"],
    ["Concat of scores", ["Concat", "floats score", "y"], stay, "scores"],
    ["Expand of scores", ["Expand", "score two", "y"], stay, "scores"],
    [
      "Reshape to another size",
      ["Reshape", "matrix five", "y"],
      "a shape of 12 elements",
      "[5, 3]",
    ],
    [
      "Reshape with a rest that does not fit",
      ["Reshape", "row rest", "y"],
      "a shape of 6 elements",
      "[4, 1]",
    ],
    [
      "Reshape that keeps a 0",
      ["Reshape", "matrix kept", "y", { allowzero: 1 }],
      "a shape of 12 elements",
      "[0, 4]",
    ],
    [
      "Reshape that keeps a 0 beside a rest",
      ["Reshape", "matrix keptRest", "y", { allowzero: 1 }],
      "a shape of 12 elements",
      "[0, 0]",
    ],
    ["Unsqueeze beyond the last axis", ["Unsqueeze", "row two", "y"], "an axis of 2", "2"],
    ["Squeeze beyond the first axis", ["Squeeze", "row out", "y"], "an axis of 1", "-2"],
    [
      "Squeeze of an axis that is not one",
      ["Squeeze", "row minus", "y"],
      "a shape of 6 elements",
      "[]",
    ],
    ["Expand of other sizes", ["Expand", "row two", "y"], "a shape that [6] broadcasts to", "[2]"],
    [
      "Transpose by an axis twice",
      ["Transpose", "matrix", "y", { perm: [0, 0] }],
      "an order of 2 axes as perm",
      "[0, 0]",
    ],
    [
      "Transpose by too few axes",
      ["Transpose", "matrix", "y", { perm: [0] }],
      "an order of 2 axes as perm",
      "[0]",
    ],
    [
      "Transpose by an axis too many",
      ["Transpose", "matrix", "y", { perm: [1, 2] }],
      "an order of 2 axes as perm",
      "[1, 2]",
    ],
    ["Gather by floats", ["Gather", "row floats", "y"], "integers as input 1", "float32"],
    ["Gather along no axis", ["Gather", "row zero", "y", { axis: 1 }], "an axis of 1", "1"],
    ["Slice by 0", ["Slice", "row zeros two zeros zeros", "y"], "steps other than 0", "0"],
    ["Slice of no axis", ["Slice", "row zeros two minus2", "y"], "an axis of 1", "-2"],
    [
      "Slice by floats",
      ["Slice", "row floats two", "y"],
      "integers as input 1 that depend on constants and shapes alone",
      "others",
    ],
    [
      "Slice by fewer ends",
      ["Slice", "matrix ones two", "y"],
      "as many ends, axes and steps as starts",
      "2, 1, 2 and 2",
    ],
    [
      "Slice by fewer axes",
      ["Slice", "matrix ones ones two", "y"],
      "as many ends, axes and steps as starts",
      "2, 2, 1 and 2",
    ],
    [
      "Slice by more steps",
      ["Slice", "matrix two two two ones", "y"],
      "as many ends, axes and steps as starts",
      "1, 1, 1 and 2",
    ],
    ["Slice without ends", ["Slice", "row two", "y"], "3 or more inputs", "2"],
    [
      "Slice of too many inputs",
      ["Slice", "row two two two two two", "y"],
      "3 or more inputs",
      "6",
    ],
    ["Slice whose ends are left out", ["Slice", "row two -", "y"], "a value as input 2", "none"],
    [
      "Concat of other types",
      ["Concat", "row floats", "y"],
      "values of int32 that fit [6]",
      "float32 of [2]",
    ],
    [
      "Concat of other axes",
      ["Concat", "row column", "y"],
      "values of int32 that fit [6]",
      "int32 of [3, 1]",
    ],
    [
      "Concat of other sizes",
      ["Concat", "matrix column", "y"],
      "values of int32 that fit [3, 4]",
      "int32 of [3, 1]",
    ],
    ["Concat of nothing", ["Concat", "", "y"], "1 or more inputs", "0"],
    ["Concat along no axis", ["Concat", "row row", "y", { axis: 1 }], "an axis of 1", "1"],
    ["Range by 0", ["Range", "zero zero zero", "y"], "a delta other than 0", "0"],
    [
      "Range to a score",
      ["Range", "zero score zero", "y"],
      "input 1 that depends on constants and shapes alone",
      "another",
    ],
    [
      "Range of lists",
      ["Range", "zero zero two2", "y"],
      "input 2 that depends on constants and shapes alone",
      "another",
    ],
    ["Shape of two", ["Shape", "row row", "y"], "1 inputs", "2"],
  ])("%s", (_, node, expected, actual) => {
    const more = {
      rest: ints(4, -1),
      kept: ints(0, 4),
      keptRest: ints(0, -1),
      zeros: ints(0),
      out: ints(-2),
      minus2: ints(-2),
      two2: ints(2, 2),
    };
    const error = errorOf(() => resultOf([node], { ...constants, ...more }));
    expect(error.argument).toBe(`graph.nodes[0] (${node[0]})`);
    expect(error.expected).toBe(expected);
    expect(error.actual).toBe(actual);
  });
});

test("axes of one element that come and go leave a program as small as it is", () => {
  const nodesOf = (nodes: readonly Node[]) => {
    const constants = { t: constantOf([2, 3], [1, 2, 3, 4, 5, 6], 1), axes: ints(0, 2) };
    const indices = [variables.queryIndex, variables.keyIndex] as readonly NumberExpression[];
    return scoreMod(resultOf(nodes, constants).at(indices) as never).form.nodes;
  };
  const moved: readonly Node[] = [
    ["Unsqueeze", "t axes", "wide"],
    ["Squeeze", "wide axes", "narrow"],
  ];
  expect(nodesOf([...moved, ["Add", "t narrow", "y"]])).toEqual(nodesOf([["Add", "t t", "y"]]));
});
