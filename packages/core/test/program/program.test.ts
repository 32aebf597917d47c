import { type HostTensor, tensor, transpose, zeros } from "@heed/core";
import * as program from "@heed/core/program";
import {
  add,
  and,
  astype,
  bindProgram,
  constantValues,
  divide,
  equal,
  floor,
  floorDivide,
  less,
  lessEqual,
  maskMod,
  maximum,
  minimum,
  multiply,
  not,
  or,
  programEvaluator,
  programLimits,
  remainder,
  scalar,
  scoreMod,
  sqrt,
  subtract,
  table,
  where,
} from "@heed/core/program";
import { describe, expect, test } from "vitest";
import { errorOf } from "./error-of.js";

const nowhere = { batch: 0, head: 0, query: 0, key: 0, queryIndex: 0, keyIndex: 0 };
const causal = () => maskMod(({ query, key }) => lessEqual(key, query));
const documents = table(tensor(Int32Array.of(0, 0, 1), [1, 3]));

describe("types", () => {
  test("errors name the operation and the types", () => {
    maskMod(({ query, key }) => {
      const late = less(query, key);
      expect(errorOf(() => add(late as never, key)).message).toBe(
        "add: expected int32 or float32 expressions or numbers, got bool and int32",
      );
      expect(errorOf(() => and(late, key as never)).message).toBe(
        "and: expected bool expressions or booleans, got bool and int32",
      );
      expect(errorOf(() => where(key as never, 1, 2)).argument).toBe("where");
      expect(errorOf(() => where(late, 1, true as never)).message).toContain(
        "bool and the number 1 and true",
      );
      expect(errorOf(() => less(late as never, late as never)).argument).toBe("less");
      expect(errorOf(() => equal(late, 1)).argument).toBe("equal");
      expect(errorOf(() => sqrt("2" as never)).message).toContain(
        'sqrt: expected an int32 or float32 expression or a number, got "2"',
      );
      expect(errorOf(() => documents.at(0, divide(key, 2))).message).toBe(
        "table.at: expected int32 indices, got the number 0 and float32",
      );
      expect(errorOf(() => documents.at(key)).message).toContain("2 indices");
      expect(errorOf(() => astype(key, "int64" as never)).argument).toBe("astype");
      expect(errorOf(() => and()).argument).toBe("and");
      return late;
    });
  });

  test("what is no expression of this module is refused", () => {
    const foreign = { type: "bool", expression: { type: "bool" } };
    expect(errorOf(() => not(foreign as never)).argument).toBe("not");
    expect(errorOf(() => maskMod(() => foreign as never)).argument).toBe("maskMod");
    expect(errorOf(() => maskMod(() => 1 as never)).message).toBe(
      "maskMod: expected an expression of type bool, got 1",
    );
    expect(errorOf(() => maskMod(({ query }) => query as never)).message).toContain("type int32");
    expect(
      errorOf(() => scoreMod(({ query, key }) => less(query, key) as never)).message,
    ).toContain("type bool");
    expect(
      errorOf(() =>
        maskMod(() => {
          throw new Error("mine");
        }),
      ).cause,
    ).toBeInstanceOf(Error);
    expect(errorOf(() => maskMod(undefined as never)).argument).toBe("maskMod");
  });

  test("a mask has no score, however it is smuggled in", () => {
    let score: unknown;
    scoreMod((variables) => {
      score = variables.score;
      return variables.score;
    });
    expect(errorOf(() => maskMod(() => less(score as never, 0))).message).toContain("score");
  });

  test("int32 and float32 together are float32; a number takes the type of its company", () => {
    scoreMod(({ score, query }) => {
      expect(add(query, 1).type).toBe("int32");
      expect(add(query, 0.5).type).toBe("float32");
      expect(add(query, 2 ** 31).type).toBe("float32");
      expect(add(query, score).type).toBe("float32");
      expect(divide(query, query).type).toBe("float32");
      expect(floor(query)).toBe(query);
      expect(where(true, query, score).type).toBe("float32");
      expect(where(equal(query, 1), true, false).type).toBe("bool");
      return add(score, multiply(query, -1));
    });
    expect(scoreMod(({ query }) => query).toString()).toBe("float32(query)");
    expect(scoreMod(2).form.nodes).toEqual([
      { op: "constant", type: "float32", args: [], value: 2 },
    ]);
  });
});

test("programs that are equal have one form and one key, whatever their tables hold", () => {
  const other = table(tensor(Int32Array.of(5, 6), [2, 1]));
  const of = (ids: typeof documents, window: number) => {
    const width = scalar(window);
    return maskMod(({ batch, query, key }) =>
      and(less(subtract(query, key), width), equal(ids.at(batch, query), ids.at(batch, key))),
    );
  };
  const [a, b] = [of(documents, 3), of(other, 4)];
  expect(a.form).toBe(b.form);
  expect(a.key).toBe(b.key);
  expect(a.tables).toEqual([documents]);
  expect(a.key).not.toBe(causal().key);
  expect(maskMod(() => less(0, scalar(1))).key).not.toBe(maskMod(() => less(0, scalar(0.5))).key);
  expect(scoreMod(() => 0).key).not.toBe(scoreMod(() => -0).key);
  expect(Object.isFrozen(a.form) && Object.isFrozen(a.form.nodes)).toBe(true);
});

let forms = 0;
test("equal programs share a form until 1,024 were made", () => {
  // New ones each time: whatever was made before.
  const of = (n: number) => maskMod(({ key }) => less(key, 1_000_000 + n)).form;
  const othersUntilForgotten = () => {
    const n = ++forms;
    const form = of(n);
    let others = 0;
    while (of(n) === form && others < 2000) {
      of(++forms);
      others += 1;
    }
    expect(of(n)).toEqual(form);
    return others;
  };
  expect(othersUntilForgotten()).toBeLessThanOrEqual(1024);
  // Two are known by now: the other that did not fit, and the one that was forgotten.
  expect(othersUntilForgotten()).toBe(1024 - 2);
});

test("values that depend on no variable are known once a call, and all others are 0", () => {
  const width = scalar(3, "float32");
  const bound = bindProgram(
    scoreMod(({ score, key }) =>
      add(
        multiply(divide(width, 4), score),
        astype(add(documents.at(0, 2), add(key, 5)), "float32"),
      ),
    ),
  );
  const values = constantValues(bound);
  const known = bound.form.nodes.map(({ op }, n) => [op, values[n]]);
  expect(known).toEqual(
    expect.arrayContaining([
      ["scalar", 3],
      ["divide", 0.75],
      ["table", 1],
    ]),
  );
  expect(known.filter(([op]) => op === "constant").map(([, value]) => value)).toEqual([4, 0, 2, 5]);
  for (const op of ["variable", "multiply", "add", "astype"]) {
    expect(known.filter(([name]) => name === op).every(([, value]) => value === 0)).toBe(true);
  }
});

test("subexpressions that are equal are one node", () => {
  const twice = maskMod(({ query, key }) => or(less(add(query, 1), key), less(key, add(query, 1))));
  expect(twice.form.nodes.filter(({ op }) => op === "add")).toHaveLength(1);
});

test("printed as Python", () => {
  const print = (build: Parameters<typeof maskMod>[0]) => maskMod(build).toString();
  expect(causal().toString()).toBe("key <= query");
  expect(
    print(({ query, key }) => not(and(less(key, query), or(equal(query, 0), equal(key, -1))))),
  ).toBe("not (key < query and (query == 0 or key == -1))");
  expect(
    print(({ query, key }) => less(subtract(query, subtract(key, multiply(add(key, 1), 2))), 8)),
  ).toBe("query - (key - (key + 1) * 2) < 8");
  expect(
    print(({ batch, query, key }) => equal(documents.at(batch, query), documents.at(batch, key))),
  ).toBe("table0[batch, query] == table0[batch, key]");
  const shared = maskMod(({ query, key }) => {
    const distance = subtract(query, key);
    return and(less(distance, 4), less(-4 as number, distance));
  });
  expect(shared.toString()).toBe("v0 = query - key\nv0 < 4 and -4 < v0");
  expect(scoreMod(({ score }) => multiply(minimum(score, 2), 0.5)).toString()).toBe(
    "minimum(score, 2.0) * 0.5",
  );
});

test("constants are folded", () => {
  const folded = maskMod(({ query, key }) =>
    and(true, or(less(3, 2), lessEqual(key, add(query, multiply(2, subtract(3, 1)))))),
  );
  expect(folded.toString()).toBe("key <= query + 4");
  expect(maskMod(({ query }) => and(less(query, 3), false)).toString()).toBe("False");
  expect(maskMod(true).toString()).toBe("True");
});

test("operations are folded where one operand says the value, but for sums and products of floats", () => {
  const print = (build: Parameters<typeof scoreMod>[0]) => scoreMod(build).toString();
  for (const [build, printed] of [
    [({ key }) => add(key, 0), "float32(key)"],
    [({ key }) => add(0, key), "float32(key)"],
    [({ key }) => add(1, key), "float32(1 + key)"],
    [({ key }) => subtract(key, 0), "float32(key)"],
    [({ key }) => subtract(0, key), "float32(0 - key)"],
    [({ key }) => multiply(key, 1), "float32(key)"],
    [({ key }) => multiply(1, key), "float32(key)"],
    [({ key }) => multiply(key, 0), "float32(key * 0)"],
    [({ key }) => floor(key), "float32(key)"],
    [({ score }) => add(score, 0), "score + 0.0"],
    [({ score }) => add(0, score), "0.0 + score"],
    [({ score }) => subtract(score, 0), "score - 0.0"],
    [({ score }) => multiply(score, 1), "score * 1.0"],
    [({ score }) => multiply(1, score), "1.0 * score"],
    [({ score }) => floor(score), "floor(score)"],
    [({ score }) => where(true, score, 2), "score"],
    [({ score }) => where(false, 2, score), "score"],
    [({ score }) => where(less(score, 0), 2, 2), "2.0"],
    [
      ({ score }) => where(less(score, 0), multiply(0.5, 0), multiply(-0.5, 0)),
      "where(score < 0.0, 0.0, -0.0)",
    ],
  ] as [Parameters<typeof scoreMod>[0], string][]) {
    expect(print(build)).toBe(printed);
  }
  const test = less(scalar(1), 2);
  for (const [build, same] of [
    [and(test, true), true],
    [and(true, test), true],
    [and(test, false), false],
    [and(false, test), false],
    [or(test, false), true],
    [or(false, test), true],
    [or(test, true), false],
    [or(true, test), false],
  ] as const) {
    const folded = maskMod(build).toString();
    expect(folded === maskMod(test).toString()).toBe(same);
    if (!same) expect(folded).toMatch(/^(True|False)$/);
  }
});

test("rules of numbers", () => {
  const value = (build: Parameters<typeof scoreMod>[0]) =>
    programEvaluator(bindProgram(scoreMod(build)))(nowhere);
  const [int, float] = [(x: number) => scalar(x, "int32"), (x: number) => scalar(x, "float32")];
  for (const of of [(x: number) => x, int]) {
    expect(value(add(of(2 ** 31 - 1), of(1)))).toBe(-(2 ** 31));
    expect(value(multiply(of(65536), of(65536)))).toBe(0);
    expect(value(program.negative(of(-(2 ** 31))))).toBe(-(2 ** 31));
    expect(value(program.abs(of(-(2 ** 31))))).toBe(-(2 ** 31));
    expect([7, -7].flatMap((a) => [2, -2].map((b) => value(floorDivide(of(a), of(b)))))).toEqual([
      3, -4, -4, 3,
    ]);
    expect([7, -7].flatMap((a) => [4, -4].map((b) => value(remainder(of(a), of(b)))))).toEqual([
      3, -1, 1, -3,
    ]);
    expect(value(floorDivide(of(-(2 ** 31)), of(-1)))).toBe(-(2 ** 31));
    expect(value(remainder(of(-(2 ** 31)), of(-1)))).toBe(0);
    expect(value(floorDivide(of(5), of(0)))).toBe(0);
    expect(value(remainder(of(5), of(0)))).toBe(0);
    expect(value(divide(of(5), of(0)))).toBe(0);
    expect(value(divide(of(1), of(4)))).toBe(0.25);
  }
  expect(value(divide(float(-1.5), float(0)))).toBe(0);
  expect(value(remainder(float(-1.5), float(1)))).toBe(0.5);
  expect(value(floorDivide(float(-1.5), float(0.5)))).toBe(-3);
  const toInt = (x: number) => value(astype(float(x), "int32"));
  expect([1.9, -1.9, 3e9, -3e9, Number.POSITIVE_INFINITY].map(toInt)).toEqual([
    1,
    -1,
    2 ** 31 - 1,
    -(2 ** 31),
    2 ** 31 - 1,
  ]);
  expect(value(astype(sqrt(float(-1)), "int32"))).toBe(0);
  expect(value(program.log(float(0)))).toBe(Number.NEGATIVE_INFINITY);
  expect(value(astype(less(1, 2), "int32"))).toBe(1);
  expect(value(maximum(0.1, 0))).toBe(Math.fround(0.1));
});

describe("tables", () => {
  const evaluate = (build: Parameters<typeof scoreMod>[0]) =>
    programEvaluator(bindProgram(scoreMod(build)))(nowhere);

  test("an index outside counts as the nearest inside", () => {
    const rows = table(tensor(Int32Array.of(10, 20, 30, 40, 50, 60), [2, 3]));
    expect(evaluate(rows.at(-5, 0))).toBe(10);
    expect(evaluate(rows.at(9, 9))).toBe(60);
    expect(evaluate(rows.at(0, 2 ** 31 - 1))).toBe(30);
    expect(evaluate(documents.at(7, 2))).toBe(1);
  });

  test("any rank, dtype and strides", () => {
    const transposed = transpose(tensor(Float32Array.of(1, 2, 3, 4, 5, 6), [2, 3]), [1, 0]);
    expect(evaluate(table(transposed).at(2, 1))).toBe(6);
    expect(evaluate(table(transposed).at(1, 0))).toBe(2);
    const deep = table(
      tensor(
        Float32Array.from({ length: 16 }, (_, i) => i),
        [2, 2, 2, 2],
      ),
    );
    expect(evaluate(deep.at(1, 0, 1, 1))).toBe(11);
    const flags = table(tensor(Uint8Array.of(0, 7), [2], { dtype: "bool" }));
    expect(evaluate(where(flags.at(1), 1, 2))).toBe(1);
    expect(evaluate(astype(flags.at(1), "float32"))).toBe(1);
  });

  test("their elements are read when a call is bound", () => {
    const data = Int32Array.of(1, 2);
    const mod = scoreMod(table(tensor(data, [2])).at(1));
    data[1] = 9;
    expect(programEvaluator(bindProgram(mod))(nowhere)).toBe(9);
  });

  test("wrong ones are refused", () => {
    expect(errorOf(() => table(zeros("float64", [2]) as never)).message).toContain("float64");
    expect(errorOf(() => table(zeros("int32", []))).message).toContain("1 to 4 axes");
    expect(errorOf(() => table(zeros("int32", [1, 1, 1, 1, 1]))).argument).toBe("table");
    expect(errorOf(() => table(zeros("int32", [0, 2]))).argument).toBe("table");
    expect(errorOf(() => table([1, 2] as never)).argument).toBe("table");
  });
});

test("a scalar's value is that of the call", () => {
  const width = scalar(3);
  const mod = maskMod(({ query, key }) => less(subtract(query, key), width));
  const before = bindProgram(mod);
  width.value = 1;
  const at = { ...nowhere, query: 2 };
  expect([before, bindProgram(mod)].map((bound) => programEvaluator(bound)(at))).toEqual([1, 0]);
  expect(
    errorOf(() => {
      width.value = 0.5;
    }).message,
  ).toContain("scalar.value: expected a 32-bit integer");
  expect(errorOf(() => scalar("1" as never)).argument).toBe("scalar");
  expect(errorOf(() => scalar(Number.NaN)).argument).toBe("scalar");
  const half = scalar(1, "float32");
  half.value = 0.5;
  const flag = scalar(true);
  flag.value = false;
  expect([half.value, flag.value]).toEqual([0.5, false]);
});

describe("limits", () => {
  test("of depth", () => {
    const chain = (depth: number) => {
      let x = add(0, scalar(1));
      for (let n = 1; n < depth; n++) x = multiply(x, 3);
      return scoreMod(x);
    };
    expect(chain(programLimits.depth - 1).toString().length).toBeGreaterThan(100);
    expect(errorOf(() => chain(programLimits.depth + 1)).message).toContain("operations deep");
  });

  test("of size, where a tree that is shared is small", () => {
    let shared = scalar(1) as ReturnType<typeof add>;
    for (let n = 0; n < 200; n++) shared = add(shared, shared);
    expect(scoreMod(shared).form.nodes.length).toBe(202);
    const source = scalar(1.5);
    let wide = Array.from({ length: 1100 }, (_, n) => multiply(source, n + 0.5));
    while (wide.length > 1)
      wide = wide.flatMap((x, n) => (n % 2 ? [] : [add(x, wide[n + 1] ?? x)]));
    expect(errorOf(() => scoreMod(wide[0] as never)).message).toContain("1024");
  });

  test("of tables", () => {
    const looked = Array.from({ length: 17 }, () => table(zeros("int32", [1])).at(0));
    const sum = looked.reduce<program.NumberExpression>((a, b) => add(a, b), looked[0] as never);
    expect(errorOf(() => scoreMod(sum)).message).toContain("16 tables");
  });
});

test("a bound table has the elements of its tensor, wherever they lie", () => {
  const data = Int32Array.of(9, 1, 9, 2, 9, 3, 9);
  for (const [offset, stride] of [
    [0, 1],
    [1, 2],
    [0, 2],
    [4, 1],
  ] as const) {
    const given = { ...tensor(data, [7]), shape: [3], strides: [stride], offset };
    const bound = bindProgram(
      maskMod(({ key }) => equal(table(given as HostTensor<"int32">).at(key), 1)),
    );
    const expected = [0, 1, 2].map((i) => data[offset + i * stride]);
    expect([...(bound.tables[0] as { data: Int32Array }).data]).toEqual(expected);
  }
});
