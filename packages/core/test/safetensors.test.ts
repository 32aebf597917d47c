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
