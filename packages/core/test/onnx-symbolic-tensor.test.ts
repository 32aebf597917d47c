/** Tensors of an ONNX graph as functions of indices: each element is made once, so that graphs stay as small as they are. */
import { expect, test } from "vitest";
import {
  constantTensor,
  indicesAt,
  int,
  numberTensor,
  placeOf,
  SymbolicTensor,
  sizeOf,
} from "../src/attention/onnx/flex/symbolic-tensor.js";
import { constantValue } from "../src/program/expression.js";
import {
  add,
  bindProgram,
  equal,
  type MaskVariables,
  maskMod,
  programEvaluator,
} from "../src/program.js";

/** Calls something with the variables of a program. */
function withVariables(use: (variables: MaskVariables) => void): void {
  maskMod((variables) => {
    use(variables);
    return true as never;
  });
}

test("an element is made once for the same indices, and again for others", () => {
  withVariables(({ query, key }) => {
    let made = 0;
    const t = new SymbolicTensor("int32", [4, 1, 5], false, ([i, , k]) => {
      made += 1;
      return add(i as typeof query, k as typeof key) as never;
    });
    const element = t.at([query, int(0), key]);
    expect(t.at([query, int(0), key])).toBe(element);
    // An axis of one element has one index, whatever counts along it.
    expect(t.at([query, key, key])).toBe(element);
    expect(t.broadcastAt([int(7), query, int(0), key])).toBe(element);
    expect(made).toBe(1);
    const others = [
      t.at([key, int(0), query]),
      t.at([query, int(0), int(1)]),
      t.at([query, int(0), int(2)]),
      t.at([int(1), int(0), int(2)]),
    ];
    expect(new Set([element, ...others]).size).toBe(5);
    expect(made).toBe(5);
    // Equal constants are one index.
    expect(t.at([query, int(0), int(2)])).toBe(others[2]);
    expect(made).toBe(5);
  });
});

test("elements are known where they depend on no variable, of up to as many as are asked for", () => {
  const whole = constantTensor("int32", [2, 3], Int32Array.of(1, 2, 3, 4, 5, 6));
  expect([whole.size, whole.known(), whole.known(6), whole.known(5)]).toEqual([
    ...[6, [1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5, 6], null],
  ]);
  expect(numberTensor("float32", 0.5).known()).toEqual([0.5]);
  expect(constantTensor("int32", [0, 3], new Int32Array(0)).known()).toEqual([]);
  withVariables(({ key }) => {
    const some = new SymbolicTensor("int32", [2], false, ([i]) =>
      constantValue(i as never) === 1 ? (key as never) : int(3),
    );
    expect(some.known()).toBeNull();
  });
  expect([sizeOf([]), sizeOf([2, 0]), sizeOf([2, 3, 4])]).toEqual([1, 0, 24]);
});

test("places in row-major order and the indices at them are each other's inverse", () => {
  for (const shape of [[], [1], [5], [2, 3], [1, 4, 1, 2], [3, 1, 2, 2, 2]]) {
    for (let at = 0; at < sizeOf(shape); at++) {
      const indices = indicesAt(int(at), shape);
      const numbers = indices.map((index) => constantValue(index) as number);
      expect(numbers.every((n, axis) => n >= 0 && n < (shape[axis] as number))).toBe(true);
      expect(constantValue(placeOf(indices, shape))).toBe(at);
    }
  }
});

test.each([[[6]], [[2, 3]], [[2, 1, 3]], [[1, 1]], [[2, 2, 1, 2, 2, 2]]])(
  "elements of %j are looked up where their indices are not known",
  (shape) => {
    const count = sizeOf(shape);
    const t = constantTensor(
      "int32",
      shape,
      Int32Array.from({ length: count }, (_, at) => at * at - 3),
    );
    const program = maskMod(({ query, key }) => {
      return equal(t.at(indicesAt(query, shape)) as typeof key, key);
    });
    const evaluate = programEvaluator(bindProgram(program));
    for (let at = 0; at < count; at++) {
      const point = { batch: 0, head: 0, query: at, queryIndex: at, keyIndex: 0 };
      expect(evaluate({ ...point, key: at * at - 3 })).toBe(1);
      expect(evaluate({ ...point, key: at * at - 2 })).toBe(0);
    }
  },
);
