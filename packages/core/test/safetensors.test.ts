import { expect, test } from "vitest";
import { tensor, toFloat64, transpose, zeros } from "../src/index.js";
import { readSafeTensors, writeSafeTensors } from "../src/safetensors.js";

test("what is written is read again, in every dtype and layout", () => {
  const tensors = {
    wide: transpose(tensor(Float32Array.of(1, 2, 3, 4, 5, Number.NaN), [2, 3]), [1, 0]),
    double: tensor(Float64Array.of(Math.PI), []),
    half: tensor(Uint16Array.of(0x3c00, 0x7e01, 0xfc00), [3], { dtype: "float16" }),
    int8: tensor(Int8Array.of(-128, 127), [2, 1]),
    int32: tensor(Int32Array.of(-5), [1]),
    bool: tensor(Uint8Array.of(1, 0, 1), [3], { dtype: "bool" }),
    none: zeros("uint8", [0, 4]),
  };
  const file = writeSafeTensors({ tensors, metadata: { a: "b" } });
  const read = readSafeTensors(file);
  expect(read.metadata).toEqual({ a: "b" });
  expect(Object.keys(read.tensors).sort()).toEqual(Object.keys(tensors).sort());
  for (const [name, t] of Object.entries(tensors)) {
    const again = read.tensors[name];
    expect(again).toMatchObject({ dtype: t.dtype, shape: t.shape });
    expect(toFloat64(again as typeof t)).toEqual(toFloat64(t));
  }
  // A view of a larger buffer, at an odd address.
  const moved = new Uint8Array(file.length + 3);
  moved.set(file, 3);
  expect(readSafeTensors(moved.subarray(3))).toEqual(read);
});

test("what is no such file is an error that says why", () => {
  const file = (header: string, data = 0): Uint8Array => {
    const text = new TextEncoder().encode(header);
    const bytes = new Uint8Array(8 + text.length + data);
    new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
    bytes.set(text, 8);
    return bytes;
  };
  const entry = (fields: object): string => JSON.stringify({ t: fields });
  const good = { dtype: "F32", shape: [1], data_offsets: [0, 4] };
  expect(readSafeTensors(file(entry(good), 4)).tensors.t?.shape).toEqual([1]);
  const bad: readonly (readonly [string, Uint8Array])[] = [
    ["bytes", new Uint8Array(7)],
    ["bytes", new Uint8Array(8).fill(255)],
    ["bytes", null as never],
    ["bytes", file("[")],
    ["bytes", file("1")],
    ["t", file(JSON.stringify({ t: null }), 4)],
    ["t", file(entry({ ...good, dtype: "BF16" }), 4)],
    // A list of one name, which is that name as a string.
    ["t", file(entry({ ...good, dtype: ["F32"] }), 4)],
    ["t", file(entry({ ...good, data_offsets: [0, 8] }), 4)],
    ["t", file(entry({ ...good, data_offsets: [-4, 0] }), 4)],
    ["t", file(entry({ ...good, data_offsets: 4 }), 4)],
    ["t", file(entry({ ...good, data_offsets: [0, 3] }), 4)],
    ["data", file(entry({ ...good, shape: [2] }), 4)],
    ["shape", file(entry({ ...good, shape: "1" }), 4)],
  ];
  for (const [argument, bytes] of bad) {
    expect(() => readSafeTensors(bytes), argument).toThrow(
      expect.objectContaining({ code: "invalid-input", argument }),
    );
  }
});

test("int64 is read as int32, and each element type as its own", () => {
  const read = (dtype: string, data: ArrayBufferView, shape: readonly number[]) => {
    const header = JSON.stringify({ t: { dtype, shape, data_offsets: [0, data.byteLength] } });
    const text = new TextEncoder().encode(header);
    const bytes = new Uint8Array(8 + text.length + data.byteLength);
    new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
    bytes.set(text, 8);
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), 8 + text.length);
    const { t } = readSafeTensors(bytes).tensors;
    return [t?.dtype, [...toFloat64(t as never)]];
  };
  expect(read("I64", BigInt64Array.of(-7n, 2n ** 31n - 1n), [2])).toEqual([
    "int32",
    [-7, 2 ** 31 - 1],
  ]);
  expect(read("F64", Float64Array.of(0.1), [1])).toEqual(["float64", [0.1]]);
  expect(read("F32", Float32Array.of(-1.5), [1])).toEqual(["float32", [-1.5]]);
  expect(read("F16", Uint16Array.of(0xbe00), [1])).toEqual(["float16", [-1.5]]);
  expect(read("I32", Int32Array.of(-70_000), [1])).toEqual(["int32", [-70_000]]);
  expect(read("I8", Int8Array.of(-3), [1])).toEqual(["int8", [-3]]);
  expect(read("U8", Uint8Array.of(253), [1])).toEqual(["uint8", [253]]);
  expect(read("BOOL", Uint8Array.of(1, 0), [2])).toEqual(["bool", [1, 0]]);
});

test("no tensor has the name under which the metadata stand", () => {
  const tensors = { __metadata__: zeros("float32", [1]) };
  expect(() => writeSafeTensors({ tensors, metadata: {} })).toThrow(
    expect.objectContaining({ code: "invalid-input", argument: "tensors" }),
  );
});

test("tensors start where their elements are aligned, the largest elements first", () => {
  const file = writeSafeTensors({
    tensors: {
      byte: tensor(Uint8Array.of(1, 2, 3), [3]),
      half: tensor(Uint16Array.of(0x3c00), [1], { dtype: "float16" }),
      double: tensor(Float64Array.of(1), [1]),
      single: tensor(Float32Array.of(1), [1]),
    },
    metadata: {},
  });
  const headerBytes = Number(new DataView(file.buffer).getBigUint64(0, true));
  const text = new TextDecoder().decode(file.subarray(8, 8 + headerBytes));
  // Spaces fill it up to the next multiple of 8 bytes.
  expect(headerBytes).toBe(Math.ceil(text.trimEnd().length / 8) * 8);
  const header = JSON.parse(text);
  const offsets = ["double", "single", "half", "byte"].map((name) => header[name].data_offsets);
  expect(offsets).toEqual([
    [0, 8],
    [8, 12],
    [12, 14],
    [14, 17],
  ]);
  expect(file.length).toBe(8 + headerBytes + 17);
});
