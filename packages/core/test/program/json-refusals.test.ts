/** Programs in JSON that are none, tables and scalars that are none, with the whole of what errors say. */
import { tensor, zeros } from "@heed/core";
import {
  equal,
  maskMod,
  multiply,
  programFromJSON,
  type Scalar,
  scalar,
  scoreMod,
  table,
} from "@heed/core/program";
import { expect, test } from "vitest";
import { errorOf } from "./error-of.js";

const f32 = (...shape: number[]) => zeros("float32", shape);
const ids = tensor(Int32Array.of(1, 2), [2]);
const factor = scalar(0.5);
const programs = {
  scaled: scoreMod(({ score }) => multiply(score, 0.5)),
  ofTable: maskMod(({ key }) => equal(table(ids).at(key), 1)),
  ofScalar: scoreMod(({ score }) => multiply(score, factor)),
};
type Json = {
  format: unknown;
  kind: unknown;
  nodes: { op: string; [name: string]: unknown }[];
  tables: unknown;
  scalars: { dtype: string; value: unknown }[];
};
const jsonOf = (name: keyof typeof programs): Json => JSON.parse(JSON.stringify(programs[name]));
/** The program with changes of the first node of an operation. */
const changed = (name: keyof typeof programs, op: string, changes: object): object => {
  const json = jsonOf(name);
  Object.assign(json.nodes.find((node) => node.op === op) as object, changes);
  return json;
};
const placeOf = (name: keyof typeof programs, op: string) =>
  `program.nodes[${jsonOf(name).nodes.findIndex((node) => node.op === op)}]`;
const [constant, variable, product] = ["constant", "variable", "multiply"].map((op) =>
  placeOf("scaled", op),
) as [string, string, string];
const [lookup, read] = [placeOf("ofTable", "table"), placeOf("ofScalar", "scalar")];
const typed = 'a value of its type "int32", "float32" or "bool"';
const before = "operands among the nodes before it, without a cycle";

test.each<[string, unknown, object | undefined, string, string]>([
  ["program", null, undefined, "an object, as toJSON gives", "null"],
  ["program", 5, undefined, "an object, as toJSON gives", "5"],
  ["program.format", { ...jsonOf("scaled"), format: 1 }, undefined, '"heed-program-1"', "1"],
  ["program.kind", { ...jsonOf("scaled"), kind: "sum" }, undefined, '"mask" or "score"', '"sum"'],
  ["program.nodes", { ...jsonOf("scaled"), nodes: 1 }, undefined, "an array", "1"],
  ["program.nodes", { ...jsonOf("scaled"), nodes: [] }, undefined, "at least one node", "none"],
  ["program.tables", { ...jsonOf("scaled"), tables: 1 }, undefined, "an array", "1"],
  ["program.scalars", { ...jsonOf("scaled"), scalars: null }, undefined, "an array", "null"],
  ["program.nodes[0]", { ...jsonOf("scaled"), nodes: [null] }, undefined, "a node", "null"],
  ["program.nodes[0]", { ...jsonOf("scaled"), nodes: [7] }, undefined, "a node", "7"],
  [
    "program.nodes[0]",
    { ...jsonOf("scaled"), nodes: ["constant"] },
    undefined,
    "a node",
    '"constant"',
  ],
  [
    `${constant}.value`,
    changed("scaled", "constant", { value: "Inf" }),
    undefined,
    "a number",
    '"Inf"',
  ],
  [
    `${constant}.value`,
    changed("scaled", "constant", { value: "valueOf" }),
    undefined,
    "a number",
    '"valueOf"',
  ],
  [
    `${constant}.value`,
    changed("scaled", "constant", { value: null }),
    undefined,
    "a number",
    "null",
  ],
  [constant, changed("scaled", "constant", { type: "int32" }), undefined, typed, "0.5"],
  [constant, changed("scaled", "constant", { type: "bool" }), undefined, typed, "0.5"],
  [constant, changed("scaled", "constant", { type: "bool", value: 2 }), undefined, typed, "2"],
  [
    constant,
    changed("scaled", "constant", { type: "int32", value: 2 ** 31 }),
    undefined,
    typed,
    "2147483648",
  ],
  [constant, changed("scaled", "constant", { type: "int64", value: 1 }), undefined, typed, "1"],
  [product, changed("scaled", "multiply", { args: [0] }), undefined, "2 operands of multiply", "1"],
  [product, changed("scaled", "multiply", { args: [0, 2] }), undefined, before, "2"],
  [product, changed("scaled", "multiply", { args: [0, -1] }), undefined, before, "-1"],
  [product, changed("scaled", "multiply", { args: [0, "1"] }), undefined, before, '"1"'],
  [`${product}.args`, changed("scaled", "multiply", { args: 1 }), undefined, "an array", "1"],
  [
    `${product}.args`,
    changed("scaled", "multiply", { args: [0, 0, 0, 0, 0] }),
    undefined,
    "at most 4 elements",
    "5",
  ],
  [
    product,
    changed("scaled", "multiply", { args: undefined }),
    undefined,
    "2 operands of multiply",
    "0",
  ],
  [
    product,
    changed("scaled", "multiply", { type: "int32" }),
    undefined,
    'type "float32", which multiply has here',
    '"int32"',
  ],
  [
    lookup,
    changed("ofTable", "table", { slot: 1 }),
    { tables: [ids] },
    "a slot of one of 1 tables",
    "1",
  ],
  [
    lookup,
    changed("ofTable", "table", { slot: "0" }),
    { tables: [ids] },
    "a slot of one of 1 tables",
    '"0"',
  ],
  [
    read,
    changed("ofScalar", "scalar", { slot: -1 }),
    undefined,
    "a slot of one of 1 scalars",
    "-1",
  ],
  ["sources.tables", jsonOf("ofTable"), undefined, "1 tables", "0"],
  ["sources.tables", jsonOf("ofTable"), { tables: [ids, ids] }, "1 tables", "2"],
  [
    "sources.tables",
    jsonOf("ofTable"),
    { tables: ids },
    "an array of tables",
    "an object with dtype, shape, strides, offset, data",
  ],
  ["sources.tables[0]", jsonOf("ofTable"), { tables: [5] }, "a tensor", "5"],
  ["sources.tables[1]", jsonOf("ofTable"), { tables: [ids, null] }, "a tensor", "null"],
  [
    "sources.tables[0]",
    jsonOf("ofTable"),
    { tables: [zeros("int8", [2])] },
    "a tensor of int32, float32 or bool",
    "int8",
  ],
  [
    "sources.tables[0]",
    jsonOf("ofTable"),
    { tables: [f32(2)] },
    'a table of "int32" of rank 1',
    "one of float32 of rank 1",
  ],
  [
    "sources.tables[0]",
    jsonOf("ofTable"),
    { tables: [zeros("int32", [2, 1])] },
    'a table of "int32" of rank 1',
    "one of int32 of rank 2",
  ],
  ["sources.scalars", jsonOf("ofScalar"), { scalars: [] }, "1 scalars", "[]"],
  ["sources.scalars", jsonOf("ofScalar"), { scalars: 1 }, "1 scalars", "1"],
  ["sources.scalars[0]", jsonOf("ofScalar"), { scalars: [0.5] }, 'a scalar of "float32"', "0.5"],
  ["sources.scalars[0]", jsonOf("ofScalar"), { scalars: [null] }, 'a scalar of "float32"', "null"],
  [
    "sources.scalars[0]",
    jsonOf("ofScalar"),
    { scalars: [scalar(1)] },
    'a scalar of "float32"',
    "an object with no members",
  ],
  [
    "program.scalars[0].value",
    { ...jsonOf("ofScalar"), scalars: [{ dtype: "float32", value: "half" }] },
    undefined,
    "a number",
    '"half"',
  ],
  ["sources.table", jsonOf("ofTable"), { table: [ids] }, "only tables, scalars", '"table"'],
])("%s: %j, %j", (argument, json, sources, expected, actual) => {
  const error = errorOf(() => programFromJSON(json, sources as never));
  expect([error.argument, error.expected, error.actual]).toEqual([argument, expected, actual]);
});

const types = '"int32", "float32" or "bool"';
const described: readonly [string, object, string, string][] = [
  ["tables[0]", { tables: [null] }, "an object with a dtype", "null"],
  ["tables[0]", { tables: [7] }, "an object with a dtype", "7"],
  ["tables[0]", { tables: new Array(1) }, "an object with a dtype", "undefined"],
  ["tables[0].dtype", { tables: [[]] }, types, "undefined"],
  ["tables[0].dtype", { tables: [{ dtype: "int8", rank: 1 }] }, types, '"int8"'],
  ["tables[0].rank", { tables: [{ dtype: "int32" }] }, "an integer from 1 to 4", "undefined"],
  ["tables[0].rank", { tables: [{ dtype: "int32", rank: [1] }] }, "an integer from 1 to 4", "[1]"],
  [
    "tables[1].rank",
    {
      tables: [
        { dtype: "int32", rank: 4 },
        { dtype: "int32", rank: 5 },
      ],
    },
    "an integer from 1 to 4",
    "5",
  ],
  ["scalars[0]", { scalars: [null] }, "an object with a dtype", "null"],
  ["scalars[0].dtype", { scalars: [{ value: 1 }] }, types, "undefined"],
  ["scalars[0].dtype", { scalars: [{ dtype: ["int32"], value: 1 }] }, types, '["int32"]'],
  ["scalars[0].value", { scalars: [{ dtype: "int32" }] }, "a number", "undefined"],
  ["scalars[0].value", { scalars: [{ dtype: "int32", value: true }] }, "a number", "true"],
  ["scalars[0].value", { scalars: [{ dtype: "int32", value: 0.5 }] }, "a 32-bit integer", "0.5"],
  ["scalars[0].value", { scalars: [{ dtype: "float32", value: "NaN" }] }, "a number", "NaN"],
  ["scalars[0].value", { scalars: [{ dtype: "bool", value: 1 }] }, "a boolean", "1"],
  ["scalars[0].value", { scalars: [{ dtype: "float32", value: {} }] }, "a number", "an object"],
];
test.each(described)("program.%s of %j", (member, changes, expected, actual) => {
  for (const sources of [undefined, { tables: [ids] }, { scalars: [factor] }]) {
    const json = { ...jsonOf("scaled"), ...changes };
    // Tables are counted before scalars are read.
    if (Object.hasOwn(changes, "scalars") && sources?.tables) continue;
    const error = errorOf(() => programFromJSON(json, sources));
    expect([error.argument, error.expected, error.actual]).toEqual([
      `program.${member}`,
      expected,
      expect.stringContaining(actual),
    ]);
  }
});

test("operands and slots that are nested or null name their node", () => {
  for (const args of [[null], [[0], 1], [{}, 0], [0, [0, [1]]]]) {
    const error = errorOf(() => programFromJSON(changed("scaled", "multiply", { args })));
    expect([error.argument, error.expected]).toEqual([product, before]);
  }
  for (const nodes of [[[]], [[null]], [{ op: null }], [{ op: ["constant"] }]]) {
    const error = errorOf(() => programFromJSON({ ...jsonOf("scaled"), nodes }));
    expect(error.argument).toBe("program.nodes[0]");
  }
  for (const slot of [null, [0], {}]) {
    const error = errorOf(() => programFromJSON(changed("ofScalar", "scalar", { slot })));
    expect([error.argument, error.expected]).toEqual([read, "a slot of one of 1 scalars"]);
  }
});

test("a variable that is none names those that there are", () => {
  for (const name of ["score2", "toString", 3, undefined]) {
    const error = errorOf(() => programFromJSON(changed("scaled", "variable", { name })));
    expect(error.argument).toBe(variable);
    expect(error.expected).toMatch(/^one of the variables batch, head, query, key, /);
  }
  for (const op of ["eval", "constructor", 5, undefined]) {
    const error = errorOf(() => programFromJSON(changed("scaled", "multiply", { op })));
    expect(error.argument).toBe(product);
    expect(error.expected).toMatch(/^one of the operations /);
  }
});

test("what is left out, and numbers that JSON has no signs for", () => {
  const json = { ...jsonOf("ofScalar"), scalars: [{ dtype: "float32", value: "-Infinity" }] };
  expect(programFromJSON(json).scalars[0]?.value).toBe(Number.NEGATIVE_INFINITY);
  const other = scalar(2, "float32");
  expect(programFromJSON(jsonOf("ofScalar"), { scalars: [other] }).scalars[0]).toBe(other);
  for (const word of ["-0", "Infinity", "-Infinity", "NaN"]) {
    const text = programFromJSON(changed("scaled", "constant", { value: word })).toString();
    expect(text).toBe(`score * ${word === "-0" ? "-0.0" : word}`);
  }
});

test.each<[string, () => unknown, string, string]>([
  [
    "table",
    () => table(zeros("float64", [2]) as never),
    "a tensor of int32, float32 or bool",
    "float64",
  ],
  ["table", () => table(zeros("int8", [2]) as never), "a tensor of int32, float32 or bool", "int8"],
  ["table", () => table(f32()), "a tensor of 1 to 4 axes, none of size 0", "shape []"],
  [
    "table",
    () => table(f32(1, 1, 1, 1, 1)),
    "a tensor of 1 to 4 axes, none of size 0",
    "shape [1, 1, 1, 1, 1]",
  ],
  ["table", () => table(f32(2, 0)), "a tensor of 1 to 4 axes, none of size 0", "shape [2, 0]"],
  ["table.at", () => table(f32(2, 3)).at(1), "2 indices, one for each axis of shape [2, 3]", "1"],
  ["table.at", () => table(f32(2)).at(1, 1), "1 indices, one for each axis of shape [2]", "2"],
  ["scalar", () => scalar("1" as never), "a number", '"1"'],
  ["scalar", () => scalar(Number.NaN), "a number", "NaN"],
  ["scalar", () => scalar(0.5, "int32"), "a 32-bit integer", "0.5"],
  ["scalar", () => scalar(2 ** 31, "int32"), "a 32-bit integer", "2147483648"],
  ["scalar", () => scalar(1, "bool" as never), "a boolean", "1"],
  ["scalar", () => scalar(1, "int64" as never), 'type "int32", "float32" or "bool"', '"int64"'],
])("%s refuses what it cannot hold", (argument, run, expected, actual) => {
  const error = errorOf(run);
  expect([error.argument, error.expected, error.actual]).toEqual([argument, expected, actual]);
});

test("scalars have the type of their first value, and keep it", () => {
  const types = [scalar(true), scalar(3), scalar(0.5), scalar(2 ** 31), scalar(3, "float32")];
  expect(types.map(({ type }) => type)).toEqual(["bool", "int32", "float32", "float32", "float32"]);
  const [bool, int, float] = types as [Scalar<"bool">, Scalar<"int32">, Scalar<"float32">];
  bool.value = false;
  int.value = -4;
  float.value = 0.1;
  expect([bool.value, int.value, float.value]).toEqual([false, -4, Math.fround(0.1)]);
  for (const [given, value, expected] of [
    [bool, 1, "a boolean"],
    [int, 0.5, "a 32-bit integer"],
    [float, "1", "a number"],
  ] as const) {
    const error = errorOf(() => {
      (given as { value: unknown }).value = value;
    });
    expect([error.argument, error.expected]).toEqual(["scalar.value", expected]);
  }
});
