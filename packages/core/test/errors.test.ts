import {
  BackendUnavailableError,
  createAttention,
  DeviceError,
  DeviceLostError,
  DisposedError,
  describeProblem,
  type HeedError,
  InvalidInputError,
  isHeedError,
  OutOfMemoryError,
  reference,
  UnsupportedError,
} from "@heed/core";
import { maskMod } from "@heed/core/program";
import { readSafeTensors } from "@heed/core/safetensors";
import { describe, expect, test } from "vitest";
import { describeThrown, describeValue, messageOf } from "../src/describe-value.js";
import { errorOf } from "./program/error-of.js";

const errors: [string, string, HeedError][] = [
  ["InvalidInputError", "invalid-input", new InvalidInputError("a", "b", "c")],
  ["UnsupportedError", "unsupported", new UnsupportedError([])],
  ["BackendUnavailableError", "backend-unavailable", new BackendUnavailableError("no", "hint")],
  ["DisposedError", "disposed", new DisposedError("a")],
  ["DeviceError", "device-error", new DeviceError("b", "m")],
  ["OutOfMemoryError", "out-of-memory", new OutOfMemoryError("b", "m")],
  ["DeviceLostError", "device-lost", new DeviceLostError("b", "m")],
];

describe("errors", () => {
  test.each(errors)("%s is recognised by its code", (name, code, error) => {
    expect(error.name).toBe(name);
    expect(error.code).toBe(code);
    // As another copy of the package makes it, whose classes are not these.
    const other = Object.assign(new Error(error.message), { name, code });
    for (const same of [error, other]) {
      expect(isHeedError(same)).toBe(true);
      for (const [, another] of errors) {
        const kind = another === "device-error" && error instanceof DeviceError;
        expect(isHeedError(same, another as never)).toBe(kind || another === code);
      }
    }
  });

  test("names do not come from classes, which minifiers rename", () => {
    const short = { a: class extends InvalidInputError {} }.a;
    expect(new short("x", "y", "z").name).toBe("InvalidInputError");
  });

  test.each<[string, unknown]>([
    ["null", null],
    ["a string", "invalid-input"],
    ["Node's own", Object.assign(new Error("x"), { code: "ENOENT" })],
    ["a code without its name", Object.assign(new Error("x"), { code: "disposed" })],
    [
      "one that throws",
      Object.defineProperty({}, "code", { get: () => Reflect.apply(null as never, 1, []) }),
    ],
  ])("%s is none", (_, value) => {
    expect(isHeedError(value)).toBe(false);
  });

  test("a hint of another copy's BackendUnavailableError is kept", async () => {
    const copy = Object.assign(new Error("no driver (install one)"), {
      name: "BackendUnavailableError",
      code: "backend-unavailable",
      reason: "no driver",
      hint: "install one",
    });
    const gpu = { name: "gpu", load: () => Promise.reject(copy) };
    const attention = await createAttention({ backends: [gpu, reference()], fallback: "silent" });
    const [status] = attention.backends;
    expect(status).toMatchObject({ reason: "no driver", hint: "install one" });
    await attention.dispose();
  });
});

describe("describeValue", () => {
  const nested = (levels: number): unknown => {
    let value: unknown = 1;
    for (let level = 0; level < levels; level++) {
      const inner = value;
      value = Array.from({ length: 9 }, () => inner);
    }
    return value;
  };
  const cyclic: unknown[] = [1];
  cyclic.push([cyclic]);
  const throws = (): never => {
    throw new TypeError("boom");
  };

  test.each<[string, unknown, string | RegExp]>([
    ["nested lists", nested(9), /^\[\[\[\[9 elements\], /],
    ["a cycle", cyclic, "[1, [[a list that contains itself]]]"],
    ["a string of 80 characters", "x".repeat(80), `"${"x".repeat(80)}"`],
    ["a string of 81", "x".repeat(81), `"${"x".repeat(80)}…"`],
    ["a list of 8", new Array(8).fill(1), "[1, 1, 1, 1, 1, 1, 1, 1]"],
    ["a list of 9", new Array(9).fill(1), "[1, 1, 1, 1, 1, 1, 1, 1, … 9 in all]"],
    ["a long string", "x".repeat(1e6), /^"x{80}…"$/],
    ["a long name", { ["y".repeat(1e6)]: 1 }, /^an object with y{40}…$/],
    ["a huge integer", 10n ** 400n, /^10{79}…$/],
    ["a sparse list", new Array(2 ** 32 - 1), /… 4294967295 in all\]$/],
    [
      "a proxy that throws",
      new Proxy({}, { ownKeys: throws }),
      "a value that throws when it is read",
    ],
    ["a typed array", new Float32Array(3), "Float32Array of 3"],
    ["a symbol", Symbol("s"), "Symbol(s)"],
    ["an object without a prototype", Object.create(null), "an object with no members"],
  ])("%s", (_, value, expected) => {
    const text = describeValue(value);
    if (typeof expected === "string") expect(text).toBe(expected);
    else expect(text).toMatch(expected);
    expect(text.length).toBeLessThan(300);
  });

  test("what functions and members of the caller's throw is said, and kept as the cause", () => {
    const boom = new ReferenceError("positions is not defined");
    const ofProgram = errorOf(() =>
      maskMod(() => {
        throw boom;
      }),
    );
    expect(ofProgram.message).toContain("one that throws: positions is not defined");
    expect(ofProgram.cause).toBe(boom);
    const ofMember = errorOf(() =>
      describeProblem({
        get query(): never {
          throw boom;
        },
      } as never),
    );
    expect(ofMember.message).toContain("throws when it is read: positions is not defined");
    expect(ofMember.cause).toBe(boom);
    const ofHeader = errorOf(() => readSafeTensors(new Uint8Array([1, 0, 0, 0, 0, 0, 0, 0, 0x7b])));
    expect(ofHeader.message).toContain((ofHeader.cause as SyntaxError).message);
    expect(describeThrown(new Error("x".repeat(1e6))).length).toBeLessThan(300);
  });

  test("messages of what is thrown", () => {
    expect(messageOf(new Error("boom"))).toBe("boom");
    expect(messageOf("boom")).toBe('"boom"');
    expect(messageOf(Object.create(null))).toBe("an object with no members");
    expect(messageOf(new Proxy({}, { get: throws, has: () => true }))).toBe(
      "an object with no members",
    );
  });
});
