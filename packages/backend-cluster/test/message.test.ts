import { numberToFloat16Bits, tensor, toFloat64 } from "@heed/core";
import {
  add,
  bindProgram,
  lessEqual,
  maskMod,
  programEvaluator,
  scalar,
  table,
} from "@heed/core/program";
import { describe, expect, test } from "vitest";
import { type AttendRequest, decodeAttend, encodeAttend } from "../src/message/attend.js";
import { MalformedMessageError } from "../src/message/errors.js";
import { kinds } from "../src/message/layout.js";
import {
  programOfPart,
  programWithIndices,
  readProgram,
  receivedProgram,
  type SentProgram,
} from "../src/message/programs.js";
import { MessageReader } from "../src/message/reader.js";
import {
  decodeBeat,
  decodeRelease,
  decodeWrite,
  encodeBeat,
  encodeRelease,
  encodeWrite,
} from "../src/message/requests.js";
import { MessageWriter } from "../src/message/writer.js";

const session = "0123456789abcdef0123456789abcdef";
const part = { session, tensor: 3, part: 1, least: 1, most: 2 };

/** A reader that stands at a request's own fields. */
function fieldsOf(bytes: Uint8Array): MessageReader {
  const reader = new MessageReader(bytes);
  reader.text();
  reader.text();
  return reader;
}

const attend: AttendRequest = {
  stored: { key: part, value: { ...part, tensor: 4 }, keyScales: null, valueScales: null },
  query: tensor(Float32Array.from([1, -0, Number.NaN, Number.POSITIVE_INFINITY]), [1, 1, 2, 2]),
  outputDType: "float32",
  rules: '{"scale":0.5}',
  cut: {
    keysByIndex: true,
    mask: tensor([true, false, true], [1, 1, 1, 3]),
    bias: null,
    maskMod: programOfPart(
      maskMod(({ keyIndex }) => lessEqual(table(tensor(Int32Array.of(1, 2), [2])).at(keyIndex), 1)),
    ),
    scoreMod: null,
    blockMask: null,
    queryBlock: 0,
    keyBlock: 0,
    kvLengths: Int32Array.of(3),
    queryStarts: null,
    keyStarts: null,
    pageTable: null,
    queryPositions: tensor(Int32Array.of(5, -6), [1, 2]),
    keyPositions: null,
    alibiSlopes: Float64Array.of(0.25),
    sinks: Float64Array.of(Number.NEGATIVE_INFINITY),
  },
};

describe("programs", () => {
  test("of a part read positions of keys for their indices, and come with tables and present scalars", () => {
    const most = scalar(3);
    const data = tensor(Int32Array.of(7, 8, 9), [3]);
    const made = maskMod(({ queryIndex, keyIndex }) =>
      lessEqual(table(data).at(keyIndex), add(queryIndex, most)),
    );
    most.value = 5;
    const received = receivedProgram(programOfPart(made), "mask");
    expect(received.key).not.toBe(made.key);
    const here = programEvaluator(bindProgram(received));
    const point = { batch: 0, head: 0, query: 0, queryIndex: 2, keyIndex: 0, score: 0 };
    expect([0, 1, 2].map((key) => here({ ...point, key }))).toEqual([1, 0, 0]);
    expect(() => receivedProgram(programOfPart(made), "score")).toThrow(/kind score/);
  });

  test("of a part look indices of keys up where positions are given", () => {
    const data = tensor(Int32Array.of(7, 8, 9, 10), [4]);
    const made = maskMod(({ key, keyIndex }) =>
      lessEqual(add(table(data).at(keyIndex), keyIndex), key),
    );
    const indices = tensor(Int32Array.of(1, 3), [2]);
    const received = receivedProgram(programWithIndices(made, indices), "mask");
    const here = programEvaluator(bindProgram(received));
    const point = { batch: 0, head: 0, query: 0, queryIndex: 0, score: 0 };
    // 8 + 1 for the first key of the part, 10 + 3 for the second.
    const at = (key: number, keyIndex: number): number => here({ ...point, key, keyIndex });
    expect([at(9, 0), at(8, 0), at(13, 1), at(12, 1)]).toEqual([1, 0, 1, 0]);
  });

  test("that are hostile are turned away", () => {
    const { json, tables } = programOfPart(maskMod(({ key }) => lessEqual(key, 1)));
    const wrong: readonly [SentProgram, RegExp][] = [
      [{ json: "{", tables }, /no JSON/],
      [{ json: "null", tables }, /toJSON/],
      [{ json: json.replace('"key"', '"score"'), tables }, /program/],
      [{ json, tables: [tensor(Int32Array.of(1), [1])] }, /0 tables/],
      [{ json: json.replace(/"args":\[\d+/, '"args":[99'), tables }, /operands/],
    ];
    for (const [program, text] of wrong) {
      expect(() => receivedProgram(program, "mask")).toThrow(text);
    }
    const to = new MessageWriter(5).u8(1).bytes(new Uint8Array(2)).u8(255);
    const from = new MessageReader(to.finish());
    expect(() => readProgram(from)).toThrow(/255 tables/);
  });
});

describe("messages", () => {
  test("read as they were written", () => {
    const read = decodeAttend(fieldsOf(encodeAttend("group", "id", attend)));
    expect(read).toEqual(attend);
    const write = {
      ...{ target: part, scales: null, version: 3, slots: Int32Array.of(4, 0) },
      source: tensor(Uint16Array.from([1, 2], numberToFloat16Bits), [1, 1, 2, 1], {
        dtype: "float16",
      }),
    };
    expect(decodeWrite(fieldsOf(encodeWrite("group", "id", write)))).toEqual(write);
    const names = [{ session, tensor: 1, part: 0 }];
    expect(decodeRelease(fieldsOf(encodeRelease("group", "id", names)))).toEqual(names);
    const beat = {
      ...{ worker: "w1", backend: "js", device: "CPU", threads: 2, dtypes: ["float32/int8"] },
      ...{ memoryBytes: 2 ** 40, usedBytes: 7, parts: 1, openRequests: 0, leaving: false },
    };
    expect(decodeBeat(fieldsOf(encodeBeat("group", "id", beat)))).toEqual(beat);
  });

  test("carry views of tensors, and large ones", () => {
    const data = Float32Array.from({ length: 3000 }, (_, i) => i);
    const view = tensor(data, [50, 30], { strides: [1, 50], offset: 7 });
    const reader = new MessageReader(new MessageWriter(1).tensor(view).finish());
    expect([...toFloat64(reader.tensor() as never)]).toEqual([...toFloat64(view)]);
  });

  test("read the same from anywhere in a buffer", () => {
    const bytes = encodeAttend("group", "id", attend);
    const buffer = new Uint8Array(bytes.length + 3);
    buffer.set(bytes, 3);
    expect(decodeAttend(fieldsOf(buffer.subarray(3)))).toEqual(attend);
  });

  test("are malformed wherever they are cut, and with anything behind them", () => {
    const bytes = encodeAttend("group", "id", attend);
    for (let length = 0; length < bytes.length; length++) {
      expect(() => decodeAttend(fieldsOf(bytes.subarray(0, length)))).toThrow(
        MalformedMessageError,
      );
    }
    const longer = new Uint8Array(bytes.length + 1);
    longer.set(bytes);
    expect(() => decodeAttend(fieldsOf(longer))).toThrow("1 bytes are left over");
  });

  test.each([
    ["another project", (b: Uint8Array) => b.fill(0, 0, 4), "no message of Heed"],
    ["another version", (b: Uint8Array) => b.fill(9, 4, 5), "of version 9"],
  ])("are malformed if they are of %s", (_, change, message) => {
    const bytes = encodeAttend("group", "id", attend);
    change(bytes);
    expect(() => new MessageReader(bytes)).toThrow(message);
  });

  test.each([
    ["an element type", new MessageWriter(kinds.attend).u8(1).u8(77), "77 is no element type"],
    ["a rank", new MessageWriter(kinds.attend).u8(1).u8(1).u8(5), "5 axes"],
    [
      "more elements than there are",
      new MessageWriter(kinds.attend).u8(1).u8(1).u8(2).u32(40_000).u32(40_000),
      "within a field",
    ],
    [
      "more elements than any tensor has",
      new MessageWriter(kinds.attend).u8(1).u8(1).u8(2).u32(4e9).u32(4e9),
      "2^31 elements or more",
    ],
    ["a flag", new MessageWriter(kinds.attend).u8(7), "neither 0 nor 1"],
  ])("are malformed if they say %s that there is not", (_, message, error) => {
    expect(() => new MessageReader(message.finish()).tensor()).toThrow(error);
  });
});
