import { InvalidInputError } from "@heed/core";
import { describe, expect, test } from "vitest";
import { formatShape, parseShape } from "../src/workloads/shape.js";

test("every size and rule", () => {
  expect(parseShape("B2,Hq32,Hkv8,Lq4,Lk4096,D128,Dv64,causal,window256,softcap50")).toEqual({
    batch: 2,
    queryHeads: 32,
    kvHeads: 8,
    queryLength: 4,
    keyLength: 4096,
    headDim: 128,
    valueDim: 64,
    causal: true,
    window: { left: 255, right: 0 },
    softcap: 50,
  });
});

test("what is left out follows from what is given", () => {
  expect(parseShape("h12, l512, d64")).toEqual({
    batch: 1,
    queryHeads: 12,
    kvHeads: 12,
    queryLength: 512,
    keyLength: 512,
    headDim: 64,
    valueDim: 64,
  });
});

test.each([
  "B1,H12,L512,D64",
  "B2,Hq32,Hkv8,Lq1,Lk2048,D128,causal",
  "B1,H8,L64,D40,Dv80,window16",
  "B64,H3,L49,D32,bias",
  "B1,Hq64,Hkv8,L64,D64,causal,window128,sinks",
])("%s reads and writes the same", (text) => {
  expect(formatShape(parseShape(text))).toBe(text);
});

describe("errors name what is wrong", () => {
  test.each([
    ["", "nothing"],
    ["B1,H12,D64", "Lq or L"],
    ["H12,L512", "D, such as"],
    ["L512,D64", "Hq or H"],
    ["Hq12,Hkv5,L8,D8", "multiple of Hkv"],
    ["H0,L8,D8", "H0"],
    ["H1.5,L8,D8", "H1.5"],
    ["H8,H9,L8,D8", "each name once"],
    ["H8,L8,D8,X3", "X3"],
    ["H8,L8,D8,causal3", "causal3"],
    ["H8,L8,D8,sinks2", "sinks2"],
    ["H8,L8,D8,window", "window"],
    ["H8,L-8,D8", "L-8"],
  ])("%j", (text, part) => {
    expect(() => parseShape(text)).toThrow(InvalidInputError);
    expect(() => parseShape(text)).toThrow(part);
  });
});
