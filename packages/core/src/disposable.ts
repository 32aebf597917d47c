/// <reference lib="esnext.disposable" preserve="true" />

/**
 * The keys of `using` and `await using`. Engines that lack explicit resource management get the keys
 * that compilers and polyfills agree on, so that their `using` finds them.
 */
const disposeKey: symbol = Symbol.dispose ?? Symbol.for("Symbol.dispose");
const asyncDisposeKey: symbol = Symbol.asyncDispose ?? Symbol.for("Symbol.asyncDispose");

/** Something released by `dispose()`, which may return a promise. */
interface Releasable {
  dispose(): unknown;
}

/**
 * Gives a class the methods of `using` and `await using`, both of which call `dispose`.
 *
 * @param kinds `"sync"` alone, where `dispose` returns nothing; `"async"` alone, where it returns a promise
 */
export function makeDisposable(
  target: abstract new (...args: never[]) => Releasable,
  kinds: readonly ("sync" | "async")[],
): void {
  const add = (key: symbol, value: (this: Releasable) => unknown): void => {
    Object.defineProperty(target.prototype, key, { value, configurable: true, writable: true });
  };
  if (kinds.includes("sync")) {
    add(disposeKey, function dispose() {
      this.dispose();
    });
  }
  if (kinds.includes("async")) {
    add(asyncDisposeKey, async function disposeAsync() {
      await this.dispose();
    });
  }
}

/** The object itself, which gets the method of `using` if whoever made it did not give it one. */
export function withDispose<R extends Releasable>(made: R): R {
  if (!(disposeKey in made)) {
    Object.defineProperty(made, disposeKey, { value: () => made.dispose(), configurable: true });
  }
  return made;
}
