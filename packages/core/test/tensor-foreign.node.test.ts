import { createContext, runInContext } from "node:vm";
import {
  createAttention,
  InvalidInputError,
  reference,
  referenceAttention,
  tensor,
  toFloat64,
  transpose,
} from "@heed/core";
import { describe, expect, test } from "vitest";

/** The error that a wrong call must give. */
function invalid(run: () => unknown): InvalidInputError {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidInputError);
    return error as InvalidInputError;
  }
  throw new Error("accepted");
}

const realm = createContext();
const foreign = <T>(code: string): T => runInContext(code, realm) as T;

/** A polyfill's `Float16Array`, as `@petamoriken/float16` makes it: a proxy of a Uint16Array of bits. */
function polyfilled(bits: readonly number[]): never {
  const target = Uint16Array.from(bits);
  return new Proxy(target, {
    get: (array, name) => {
      if (name === Symbol.toStringTag) return "Float16Array";
      const value = Reflect.get(array, name, array);
      return typeof value === "function" ? value.bind(array) : value;
    },
  }) as never;
}

describe("arrays of another realm", () => {
  test.each(["Float64Array", "Float32Array", "Int32Array", "Uint8Array"])("%s", (name) => {
    const data = foreign<Float32Array>(`new ${name}([1, 2, 3])`);
    expect(data instanceof (globalThis as never)[name]).toBe(false);
    const t = tensor(data, [3]);
    expect(t.data).toBeInstanceOf((globalThis as never)[name]);
    expect([...toFloat64(t)]).toEqual([1, 2, 3]);
    // The memory is the same.
    data[1] = 7;
    expect(t.data[1]).toBe(7);
  });

  test("bits of float16, lists, shapes and members of a literal", () => {
    const bits = foreign<Uint16Array>("new Uint16Array([0x3c00, 0x4000])");
    expect([...toFloat64(tensor(bits, [2], { dtype: "float16" }))]).toEqual([1, 2]);
    const list = tensor(foreign<number[]>("[1, 2]"), foreign<number[]>("[1, 2]"));
    expect([...toFloat64(list)]).toEqual([1, 2]);
    const literal = foreign<never>(
      '({ dtype: "float32", shape: [2], strides: [1], offset: 1, data: new Float32Array([5, 6, 7]) })',
    );
    expect([...toFloat64(literal)]).toEqual([6, 7]);
  });

  test("a whole call, its lengths, offsets and slopes included", async () => {
    const call = foreign<never>(`((t) => ({
        query: t([1, 1, 2, 2]), key: t([1, 1, 2, 2]), value: t([1, 1, 2, 2]), causal: true,
        kvLengths: new Int32Array([1]), queryOffset: new Int32Array([0]),
        alibiSlopes: new Float32Array([0.5]), sinks: new Float64Array([-Infinity]),
      }))((shape) => ({
        dtype: "float32", shape, strides: [4, 4, 2, 1], offset: 0, data: new Float32Array([1, 2, 3, 4]),
      }))`);
    const attention = await createAttention({ backends: [reference()] });
    const { output } = await attention.run(call);
    expect([...toFloat64(output)]).toEqual([1, 2, 1, 2]);
    expect(toFloat64(referenceAttention(call).output)).toEqual(toFloat64(output));
    await attention.dispose();
  });
});

describe("a polyfill's Float16Array", () => {
  test("is read by its bits, in place", () => {
    const data = polyfilled([0x3c00, 0x4000, 0xc200]);
    const t = tensor(data, [3]);
    expect(t.dtype).toBe("float16");
    expect(t.data).toBeInstanceOf(Uint16Array);
    expect([...toFloat64(t)]).toEqual([1, 2, -3]);
    expect([...toFloat64({ ...t, data } as never)]).toEqual([1, 2, -3]);
    expect(invalid(() => tensor(data, [3], { dtype: "float32" as never })).argument).toBe("dtype");
  });
});

describe("what only claims to be an array", () => {
  const claims = (tag: string) => ({
    [Symbol.toStringTag]: tag,
    buffer: new ArrayBuffer(8),
    byteOffset: 0,
    byteLength: 8,
    BYTES_PER_ELEMENT: 2,
    length: 2,
    0: 1,
    1: 2,
  });
  test.each<[string, () => unknown]>([
    ["an object with a tag", () => claims("Float32Array")],
    ["one whose buffer is none", () => ({ ...claims("Float16Array"), buffer: { byteLength: 8 } })],
    ["a proxy of an array", () => new Proxy(new Float32Array(2), {})],
    ["an array with another prototype", () => Object.create(Float32Array.prototype)],
    ["a DataView", () => new DataView(new ArrayBuffer(8))],
  ])("is refused: %s", (_, make) => {
    expect(invalid(() => tensor(make() as never, [2])).argument).toBe("data");
    const literal = { ...tensor([1, 2], [2]), data: make() };
    expect(invalid(() => toFloat64(literal as never)).argument).toBe("t.data");
  });

  test("a length that is made up does not count", () => {
    const data = Object.defineProperty(new Float32Array(2), "length", { value: 4 });
    expect(invalid(() => tensor(data, [4])).argument).toBe("data");
    const literal = { dtype: "float32", shape: [4], strides: [1], offset: 0, data } as const;
    expect(invalid(() => toFloat64(literal)).argument).toBe("t.strides");
  });

  test("a Buffer is a Uint8Array", () => {
    expect([...toFloat64(tensor(Buffer.from([1, 2]), [2]))]).toEqual([1, 2]);
  });
});

describe("buffers whose size changes", () => {
  type Resizable = ArrayBuffer & { resize(bytes: number): void };
  const Resizable = ArrayBuffer as unknown as new (bytes: number, options: object) => Resizable;

  test("resizable and growable ones hold tensors", () => {
    const buffer = new Resizable(8, { maxByteLength: 64 });
    const t = tensor(new Float32Array(buffer).fill(3), [2]);
    buffer.resize(32);
    expect([...toFloat64(t)]).toEqual([3, 3]);
    const shared = new (SharedArrayBuffer as never as typeof Resizable)(8, { maxByteLength: 64 });
    expect([...toFloat64(tensor(new Float32Array(shared), [2]))]).toEqual([0, 0]);
  });

  test.each<[string, (buffer: Resizable) => void, RegExp]>([
    ["shrunk", (buffer) => buffer.resize(4), /data/],
    ["transferred away", (b) => void structuredClone(b, { transfer: [b] }), /detached/],
  ])("one that was %s since is an error, also of views", (_, change, message) => {
    const buffer = new Resizable(16, { maxByteLength: 64 });
    const t = tensor(new Float32Array(buffer), [2, 2]);
    const view = transpose(t, [1, 0]);
    change(buffer);
    expect(invalid(() => toFloat64(t)).message).toMatch(message);
    expect(invalid(() => toFloat64(view)).message).toMatch(message);
  });
});

test("misspelt options are refused", () => {
  const error = invalid(() => tensor([1], [1], { dtyp: "float16" } as never));
  expect(error.argument).toBe("options.dtyp");
  expect(invalid(() => tensor([1], [1], null as never)).argument).toBe("options");
});
