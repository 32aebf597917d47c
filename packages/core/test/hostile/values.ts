import { createContext, runInContext } from "node:vm";
import { tensor, zeros } from "@heed/core";
import fc from "fast-check";

/**
 * Values that no caller means to pass and every public function has to survive: what fast-check calls
 * anything, objects that throw when they are looked at, and things that claim to be something else.
 */

/** One for all: contexts are slow to make. */
const otherRealm = createContext();

const boom = (): never => {
  throw new TypeError("boom");
};

const throwingHandler: ProxyHandler<object> = {
  get: boom,
  has: boom,
  ownKeys: boom,
  getOwnPropertyDescriptor: boom,
  getPrototypeOf: boom,
};

function revoked(target: object): unknown {
  const { proxy, revoke } = Proxy.revocable(target, {});
  revoke();
  return proxy;
}

function cyclic(): unknown[] {
  const list: unknown[] = [1];
  list.push(list);
  return list;
}

function nested(levels: number): unknown {
  let value: unknown = 1;
  for (let level = 0; level < levels; level++) value = Array.from({ length: 9 }, () => value);
  return value;
}

class Claims {
  readonly length = 4;
  readonly buffer = new ArrayBuffer(16);
  readonly byteOffset = 0;
  readonly byteLength = 16;
  readonly BYTES_PER_ELEMENT = 4;
  readonly [Symbol.toStringTag] = "Float32Array";
}

const shrunk = (): Float32Array => {
  const Resizable = ArrayBuffer as unknown as new (bytes: number, options: object) => ArrayBuffer;
  const buffer = new Resizable(16, { maxByteLength: 64 });
  const data = new Float32Array(buffer, 8, 2);
  (buffer as unknown as { resize(bytes: number): void }).resize(4);
  return data;
};

const detached = (): Float32Array => {
  const data = new Float32Array(4);
  structuredClone(data.buffer, { transfer: [data.buffer as ArrayBuffer] });
  return data;
};

const odd: readonly (() => unknown)[] = [
  () => new Proxy({}, throwingHandler),
  () => new Proxy([], throwingHandler),
  () => new Proxy(new Float32Array(4), throwingHandler),
  () => new Proxy(new Float32Array(4), {}),
  () => revoked({}),
  () => revoked([]),
  () => Object.create(null),
  () => ({
    get shape() {
      return boom();
    },
    data: new Float32Array(1),
  }),
  () => ({ backend: "x", read() {}, shape: null, dtype: "float32" }),
  () => ({
    backend: "x",
    read() {},
    get shape() {
      return boom();
    },
  }),
  () => ({ backend: "x", read() {}, shape: [1, 1, 1, 1], dtype: "float32", dispose() {} }),
  () => ({ toString: boom, valueOf: boom, [Symbol.toPrimitive]: boom }),
  () => ({
    get length() {
      return boom();
    },
  }),
  () => ({ length: -1 }),
  () => ({ length: 2 ** 53 }),
  () => cyclic(),
  () => nested(9),
  () => new Array(2 ** 32 - 1),
  () => new Claims(),
  () => ({ ...new Claims(), [Symbol.toStringTag]: "Float16Array" }),
  () => Object.defineProperty(new Float32Array(2), "length", { value: 1e9 }),
  () => Object.setPrototypeOf(new Float32Array(4), Int32Array.prototype),
  () => runInContext("new Float32Array(4)", otherRealm),
  () => runInContext("[1, 1, 1, 4]", otherRealm),
  () => shrunk(),
  () => detached(),
  () => new DataView(new ArrayBuffer(8)),
  () => new SharedArrayBuffer(8),
  () => new BigInt64Array(2),
  () => new Int8Array(4),
  () => Symbol("s"),
  () => 10n ** 400n,
  () => "x".repeat(100_000),
  () => new Map(),
  () => new Date(Number.NaN),
  () => Promise.resolve(1),
  () => boom,
  () => Number.NaN,
  () => 2 ** 31,
  () => -0,
];

/** Values that a call could really have, so that functions get past their first check. */
const plausible: readonly (() => unknown)[] = [
  () => tensor([1, 2, 3, 4], [1, 1, 2, 2]),
  () => tensor([1, 2, 3, 4], [1, 2, 2]),
  () => tensor([1, 0], [1, 1, 1, 2], { dtype: "bool" }),
  () => zeros("float16", [1, 1, 2, 2]),
  () => new Float32Array(4),
  () => [1, 1, 2, 2],
  () => [0, 1, 3, 2],
  () => "float32",
  () => 0,
  () => 1,
  () => 2,
  () => undefined,
];

const members = ["dtype", "shape", "strides", "offset", "data"] as const;

/** Makes a value when it is called: fast-check itself looks into values, which some do not survive. */
export type Make = () => unknown;

const hostile: fc.Arbitrary<Make> = fc.oneof(
  fc
    .anything({
      withBigInt: true,
      withTypedArray: true,
      withSparseArray: true,
      withNullPrototype: true,
    })
    .map((value) => () => value),
  fc.constantFrom(...odd),
);

/** A tensor with members replaced. */
const spoiltTensor: fc.Arbitrary<Make> = fc
  .record({ member: fc.constantFrom(...members), make: hostile })
  .map(({ member, make }) => () => ({ ...tensor([1, 2, 3, 4], [1, 1, 2, 2]), [member]: make() }));

export const argument: fc.Arbitrary<Make> = fc.oneof(
  hostile,
  spoiltTensor,
  fc.constantFrom(...plausible),
);

/** An object with some of the members named, each of any value. */
export function objectOf(names: readonly string[]): fc.Arbitrary<() => object> {
  const spec = Object.fromEntries(names.map((name) => [name, argument]));
  return fc
    .record(spec, { requiredKeys: [] })
    .map(
      (makes) => () =>
        Object.fromEntries(Object.entries(makes).map(([name, make]) => [name, make?.()])),
    );
}
