/**
 * Makes WebGPU in Node wait for its device without keeping a processor busy.
 *
 * The package `webgpu` asks its device on every turn of the event loop whether anything is done, by a chain
 * of `setImmediate`. A software adapter computes on the same processors, so that tests spent 40 % of their
 * processor time on asking. Here each further question of a chain waits a little longer than the one
 * before, at most a millisecond; compilers and kernels run meanwhile.
 */
const firstWait = 0.02;
const longestWait = 1;

/** Nobody wakes it: a wait ends with its time. */
const never = new Int32Array(new SharedArrayBuffer(4));
let milliseconds = firstWait;
let asking = false;

/** Callbacks made by native code have no name, no parameters and no source; `resolve` has a parameter. */
function isNative(callback) {
  const { name, length } = callback;
  return (
    name === "" &&
    length === 0 &&
    Function.prototype.toString.call(callback).endsWith("{ [native code] }")
  );
}

/** Test files share a process, and this file runs before each of them: one proxy is enough. */
const installed = Symbol.for("heed.test.polling");

// A proxy keeps the property for `util.promisify`.
globalThis.setImmediate =
  globalThis[installed] ??
  new Proxy(globalThis.setImmediate, {
    apply(immediate, self, [callback, ...rest]) {
      if (rest.length > 0 || !isNative(callback)) {
        return Reflect.apply(immediate, self, [callback, ...rest]);
      }
      milliseconds = asking ? Math.min(longestWait, 1.5 * milliseconds) : firstWait;
      return Reflect.apply(immediate, self, [
        () => {
          Atomics.wait(never, 0, 0, milliseconds);
          asking = true;
          try {
            callback();
          } finally {
            asking = false;
          }
        },
      ]);
    },
  });
globalThis[installed] = globalThis.setImmediate;
