const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
const waiting = new Map();
let lastId = 0;

worker.addEventListener("message", ({ data: { id, error, ...result } }) => {
  const { resolve, reject } = waiting.get(id);
  waiting.delete(id);
  if (error === undefined) resolve(result);
  else reject(new Error(error));
});

/** The arrays are handed over to the worker: the page cannot read them afterwards. */
function attend(query, key, value, shape) {
  const id = ++lastId;
  const { promise, ...settle } = Promise.withResolvers();
  waiting.set(id, settle);
  const buffers = [query, key, value].map(({ buffer }) => buffer);
  worker.postMessage({ id, query, key, value, shape }, buffers);
  return promise;
}

const shape = [1, 4, 256, 64];
const numbers = () => new Float32Array(shape.reduce((a, b) => a * b)).fill(0.5);
const { output } = await attend(numbers(), numbers(), numbers(), shape);
document.querySelector("output").textContent = `${output.length} numbers, the first ${output[0]}`;
