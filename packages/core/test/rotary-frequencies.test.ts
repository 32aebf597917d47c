import { expect, test } from "vitest";
import {
  interpolatedFrequencies,
  llama3Frequencies,
  ntkFrequencies,
  rotaryFrequencies,
  yarnAttentionFactor,
  yarnFrequencies,
} from "../src/index.js";

test("without scaling, frequencies are powers of theta", () => {
  expect([...rotaryFrequencies({ rotaryDim: 4, theta: 100 })]).toEqual([1, 0.1]);
  expect([...interpolatedFrequencies({ rotaryDim: 4, theta: 100, factor: 4 })]).toEqual([
    0.25, 0.025,
  ]);
});

test("NTK's base leaves the fastest pair and divides the slowest one by the factor", () => {
  const plain = rotaryFrequencies({ rotaryDim: 64 });
  const scaled = ntkFrequencies({ rotaryDim: 64, factor: 4 });
  expect(scaled[0]).toBe(1);
  expect(scaled[31]).toBeCloseTo((plain[31] as number) / 4, 12);
  expect(ntkFrequencies({ rotaryDim: 64, factor: 4, originalLength: 100, length: 90 })).toEqual(
    plain,
  );
  const dynamic = ntkFrequencies({ rotaryDim: 64, factor: 2, originalLength: 100, length: 250 });
  expect(dynamic).toEqual(ntkFrequencies({ rotaryDim: 64, factor: 4 }));
});

test("Llama 3's frequencies are kept, blended or divided, by their wavelength", () => {
  const options = { rotaryDim: 64, theta: 500_000, factor: 32 };
  const plain = rotaryFrequencies({ rotaryDim: 64, theta: 500_000 });
  const scaled = llama3Frequencies(options);
  for (const [i, frequency] of plain.entries()) {
    const wavelength = (2 * Math.PI) / frequency;
    if (wavelength < 8192 / 4) expect(scaled[i]).toBe(frequency);
    else if (wavelength > 8192) expect(scaled[i]).toBeCloseTo(frequency / 32, 15);
    else {
      const smooth = (8192 / wavelength - 1) / 3;
      expect(scaled[i]).toBeCloseTo(((1 - smooth) * frequency) / 32 + smooth * frequency, 12);
    }
  }
});

test("YaRN's ramp lies between the pairs that turn betaFast and betaSlow times", () => {
  const plain = rotaryFrequencies({ rotaryDim: 64, theta: 150_000 });
  const of = { rotaryDim: 64, theta: 150_000, factor: 32, originalLength: 4096 };
  const scaled = yarnFrequencies({ ...of, truncate: false });
  const turns = plain.map((frequency) => (4096 * frequency) / (2 * Math.PI));
  for (const [i, count] of turns.entries()) {
    const ratio = (scaled[i] as number) / (plain[i] as number);
    if (count > 32) expect(ratio).toBe(1);
    else if (count < 1) expect(ratio).toBeCloseTo(1 / 32, 12);
    else expect(ratio).toBeGreaterThan(1 / 32);
  }
  const rounded = yarnFrequencies(of);
  expect(rounded).toEqual(yarnFrequencies({ ...of, truncate: true }));
  expect(rounded).not.toEqual(scaled);
  expect(rounded.filter((frequency, i) => frequency === plain[i]).length).toBeGreaterThan(0);
  expect(yarnAttentionFactor(32)).toBeCloseTo(1.34657359, 8);
  expect(yarnAttentionFactor(32, 0.5)).toBeCloseTo(1 + 0.34657359 / 2, 8);
  expect(yarnAttentionFactor(1)).toBe(1);
});

test.each([
  ["rotaryDim", () => rotaryFrequencies({ rotaryDim: 3 })],
  ["theta", () => rotaryFrequencies({ rotaryDim: 4, theta: 0 })],
  ["options", () => rotaryFrequencies(undefined as never)],
  ["options.base", () => rotaryFrequencies({ rotaryDim: 4, base: 1 } as never)],
  ["factor", () => interpolatedFrequencies({ rotaryDim: 4 } as never)],
  ["length", () => ntkFrequencies({ rotaryDim: 4, factor: 2, originalLength: 8 })],
  [
    "highFrequencyFactor",
    () => llama3Frequencies({ rotaryDim: 4, factor: 2, lowFrequencyFactor: 8 }),
  ],
  ["originalLength", () => yarnFrequencies({ rotaryDim: 4, factor: 2 } as never)],
  ["theta", () => yarnFrequencies({ rotaryDim: 4, factor: 2, originalLength: 8, theta: 1 })],
  ["factor", () => yarnAttentionFactor(Number.NaN)],
])("%s is named where it is wrong", (argument, run) => {
  expect(run).toThrow(expect.objectContaining({ code: "invalid-input", argument }));
});
