import { InvalidInputError, tensor } from "@heed/core";
import {
  equal,
  less,
  maskMod,
  multiply,
  programFromJSON,
  programLimits,
  scalar,
  scoreMod,
  table,
  where,
} from "@heed/core/program";
import { describe, expect, test } from "vitest";
import { errorOf } from "./error-of.js";

const documents = table(tensor(Int32Array.of(0, 0, 1), [1, 3]));

describe("JSON", () => {
  const json = () =>
    JSON.parse(
      JSON.stringify(maskMod(({ batch, key }) => less(documents.at(batch, key), scalar(4)))),
    );
  const read = (
    change: (value: ReturnType<typeof json>) => void,
    sources: object = { tables: [documents] },
  ) => {
    const value = json();
    change(value);
    return programFromJSON(value, sources);
  };

  test("everything but what tables hold", () => {
    const back = read(() => {});
    expect(back.toString()).toBe("table0[batch, key] < scalar0");
    expect(back.scalars[0]?.value).toBe(4);
    const mine = scalar(9);
    expect(
      read(() => {}, { tables: [tensor(Int32Array.of(1), [1, 1])], scalars: [mine] }).scalars,
    ).toEqual([mine]);
    const score = scoreMod(({ score }) =>
      where(equal(1, scalar(2)), score, Number.NEGATIVE_INFINITY),
    );
    expect(programFromJSON(JSON.parse(JSON.stringify(score))).key).toBe(score.key);
  });

  test.each<[string, (value: ReturnType<typeof json>) => void, object?]>([
    [
      "program.nodes[0]",
      (p) => {
        p.nodes[0] = { op: "not", type: "bool", args: [0] };
      },
    ],
    [
      "program.nodes[1]",
      (p) => {
        p.nodes[1] = { op: "abs", type: "int32", args: [3] };
      },
    ],
    [
      "program.nodes[2]",
      (p) => {
        p.nodes[2].args = [0, -1];
      },
    ],
    [
      "program.nodes[4]",
      (p) => {
        p.nodes[4].op = "eval";
      },
    ],
    [
      "program.nodes[4]",
      (p) => {
        p.nodes[4].op = "constructor";
      },
    ],
    [
      "program.nodes[4]",
      (p) => {
        p.nodes[4].type = "int32";
      },
    ],
    [
      "program.nodes[4]",
      (p) => {
        p.nodes[4].args = [2];
      },
    ],
    [
      "and",
      (p) => {
        p.nodes[4].op = "and";
      },
    ],
    [
      "program.nodes[0]",
      (p) => {
        p.nodes[0].name = "score2";
      },
    ],
    [
      "program.nodes[0]",
      (p) => {
        p.nodes[0] = 7;
      },
    ],
    [
      "program.nodes[2]",
      (p) => {
        p.nodes[2].slot = 1;
      },
    ],
    [
      "program.nodes[3]",
      (p) => {
        p.nodes[3].type = "float32";
      },
    ],
    [
      "program.nodes[0]",
      (p) => {
        p.nodes[0] = { op: "constant", type: "int32", value: 0.5 };
      },
    ],
    [
      "program.nodes",
      (p) => {
        p.nodes = [];
      },
    ],
    [
      "program.nodes",
      (p) => {
        p.nodes = new Array(programLimits.nodes + 1).fill(p.nodes[0]);
      },
    ],
    [
      "program.nodes",
      (p) => {
        p.nodes = {};
      },
    ],
    [
      "program.kind",
      (p) => {
        p.kind = "backward";
      },
    ],
    [
      "program.format",
      (p) => {
        p.format = "2";
      },
    ],
    [
      "maskMod",
      (p) => {
        p.nodes.pop();
      },
    ],
    ["sources.tables", () => {}, {}],
    ["sources.tables[0]", () => {}, { tables: [tensor(Int32Array.of(1), [1])] }],
    ["sources.scalars", () => {}, { tables: [documents], scalars: [] }],
    ["sources.scalars[0]", () => {}, { tables: [documents], scalars: [scalar(0.5)] }],
    ["sources.table", () => {}, { table: [documents] }],
  ])("%s is at fault", (argument, change, sources) => {
    expect(errorOf(() => read(change, sources)).argument).toBe(argument);
  });

  test("anything at all", () => {
    for (const value of [
      null,
      1,
      "x",
      [],
      () => 1,
      {
        get format() {
          throw new Error("no");
        },
      },
    ]) {
      errorOf(() => programFromJSON(value));
    }
  });

  test.each<[string, unknown]>([
    ["a word that is no number", "Infinit"],
    ["a name of every object", "toString"],
    ["null", null],
  ])("a constant of JSON that is %s is refused", (_, value) => {
    const json = JSON.parse(JSON.stringify(scoreMod(({ score }) => multiply(score, 0.5))));
    const at = json.nodes.findIndex((node: { op: string }) => node.op === "constant");
    json.nodes[at].value = value;
    expect(() => programFromJSON(json)).toThrow(InvalidInputError);
  });

  test.each([null, 5, undefined, "constant"])("a node of JSON that is %s is refused", (node) => {
    const json = JSON.parse(JSON.stringify(scoreMod(({ score }) => multiply(score, 0.5))));
    json.nodes[0] = node;
    expect(() => programFromJSON(json)).toThrow(InvalidInputError);
  });

  test("a table of another type than JSON says is refused", () => {
    const ids = table(tensor(Int32Array.of(1, 2), [2]));
    const json = JSON.parse(JSON.stringify(maskMod(({ key }) => equal(ids.at(key), 1))));
    const flags = tensor(Float32Array.of(1, 2), [2]);
    expect(() => programFromJSON(json, { tables: [flags] })).toThrow(InvalidInputError);
  });
});
