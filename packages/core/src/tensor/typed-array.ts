/**
 * Typed arrays recognised by their internal slots, which no object can forge: `instanceof` fails for
 * arrays of another realm (an iframe, Node's vm, a test runner's sandbox), and `Symbol.toStringTag` is
 * a property like any other.
 */

interface TypedArrayPrototype {
  readonly [Symbol.toStringTag]: string | undefined;
  readonly length: number;
  readonly buffer: ArrayBufferLike;
  readonly byteOffset: number;
}

const prototype = Object.getPrototypeOf(Uint8Array.prototype) as TypedArrayPrototype;

function getter<K extends keyof TypedArrayPrototype>(name: K): () => TypedArrayPrototype[K] {
  const { get } = Object.getOwnPropertyDescriptor(prototype, name) as PropertyDescriptor;
  return get as () => TypedArrayPrototype[K];
}

const nameGetter = getter(Symbol.toStringTag);
const lengthGetter = getter("length");
const bufferGetter = getter("buffer");
const offsetGetter = getter("byteOffset");

/** The kind of a typed array, e.g. `"Float32Array"`; undefined for everything else. Never throws. */
export function typedArrayName(value: unknown): string | undefined {
  return nameGetter.call(value);
}

/** The length of a typed array, whatever its property of that name says; 0 once it is detached. */
export function typedArrayLength(array: object): number {
  return lengthGetter.call(array);
}

type Constructor<A> = new (buffer: ArrayBufferLike, byteOffset: number, length: number) => A;

/**
 * The array itself if it is an instance of this realm's class, else a view of the same memory that is.
 *
 * @param array a typed array of the class's kind
 */
export function inThisRealm<A extends object>(array: object, kind: Constructor<A>): A {
  if (array instanceof kind) return array;
  return new kind(bufferGetter.call(array), offsetGetter.call(array), lengthGetter.call(array));
}

/** Whether an array's buffer was transferred away. `ArrayBuffer.detached` came with Node 22. */
export function isDetached(array: object): boolean {
  try {
    new Uint8Array(bufferGetter.call(array));
    return false;
  } catch {
    return true;
  }
}
