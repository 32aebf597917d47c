// Inflicts a failure on one attention after another while it computes: its worker is killed, its GPU device destroyed,
// its call aborted, or itself disposed. Checks that each call ends in time with the right result or a typed error, and
// prints as JSON how they ended and how memory grew. Started by tools/soak.js in a process of its own with --expose-gc:
// `faults.js '{ "rounds": 1000, "fault": "worker killed" }'`.
import { syncBuiltinESMExports } from "node:module";
import workerThreads from "node:worker_threads";
import { isHeedError, reference, tensor } from "@heed/core";
import { createAttention, js, wasm, webgpu } from "heed";
import { memory, slopesOf } from "./memory.js";

const { rounds, fault } = JSON.parse(process.argv[2]);
/** ms that a call may take on a busy machine before it counts as hanging. */
const patience = 60_000;

/** Threads that workers were started in and that have not ended. */
const threads = new Set();
const { Worker } = workerThreads;
workerThreads.Worker = class extends Worker {
  constructor(...args) {
    super(...args);
    threads.add(this);
    this.on("exit", () => threads.delete(this));
  }
};
syncBuiltinESMExports();

/** Devices of webgpu's backends. */
const devices = new Set();
const gpu = webgpu({ allowFallbackAdapter: true });
const watched = {
  name: "webgpu",
  load: async () => {
    const backend = await gpu.load();
    devices.add(backend.device);
    return backend;
  },
};

const filled = (length, headSize, seed) => {
  const data = Float32Array.from({ length: length * headSize }, (_, i) => Math.sin(seed + i));
  return tensor(data, [1, 1, length, headSize]);
};
const callOf = (length, headSize) => ({
  query: filled(length, headSize, 1),
  key: filled(length, headSize, 2),
  value: filled(length, headSize, 3),
});
/** Enough operations for a worker. */
const inWorker = callOf(512, 64);
/** Few operations, and a kernel that a software adapter compiles in a tenth of the time of larger ones. */
const onDevice = callOf(8, 8);
const oracle = await createAttention({ backends: [js()], store: null });
const expected = new Map();
for (const call of [inWorker, onDevice]) {
  expected.set(call, (await oracle.run(call)).output.data);
}
await oracle.dispose();

const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const open = (backends) =>
  createAttention({ backends, fallback: "silent", select: "order", selfTest: false, store: null });

/** Things that are done to an attention while it computes, by name. */
const faults = {
  "worker killed": {
    call: inWorker,
    backends: () => [js({ worker: true }), wasm({ threads: 1 })],
    inflict: () => Promise.all([...threads].map((thread) => thread.terminate())),
  },
  "call aborted": {
    call: inWorker,
    backends: () => [js({ worker: true })],
    inflict: (_, stop) => stop.abort(new DOMException("enough", "AbortError")),
  },
  "attention disposed": {
    call: inWorker,
    backends: () => [js({ worker: true })],
    inflict: (attention) => attention.dispose({ timeout: 1 }),
  },
  "device destroyed": {
    call: onDevice,
    backends: () => [watched, reference()],
    inflict: () => [...devices].map((device) => device.destroy()),
  },
};
/** How often calls ended in each way. */
const outcomes = {};
const note = (outcome) => {
  outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
};
const { call, backends, inflict } = faults[fault];

const right = expected.get(call);
function check({ output }) {
  for (let i = 0; i < right.length; i++) {
    if (Math.abs(output.data[i] - right[i]) > 1e-4) {
      throw new Error(`a wrong result: ${output.data[i]} instead of ${right[i]} at ${i}`);
    }
  }
}

async function round(number) {
  const attention = await open(backends());
  await attention.prepare(call);
  const stop = new AbortController();
  const running = attention.run(call, { signal: stop.signal }).then(
    (result) => {
      check(result);
      note(`computed by ${result.backend}`);
    },
    (error) => {
      if (!isHeedError(error) && error.name !== "AbortError") throw error;
      note(error.name);
    },
  );
  await wait((number % 7) * 2);
  await inflict(attention, stop);
  let timer;
  const late = new Promise((_, reject) => {
    const hangs = new Error(`${fault}: a call did not end within ${patience} ms`);
    timer = setTimeout(() => reject(hangs), patience);
  });
  await Promise.race([running, late]);
  clearTimeout(timer);
  await attention.dispose();
  devices.clear();
}

if (fault === "device destroyed") {
  const missing = await gpu.load().then(
    (backend) => backend.dispose(),
    (error) => error.message,
  );
  if (missing) {
    console.log(JSON.stringify({ missing }));
    process.exit();
  }
}
const every = Math.max(1, Math.floor(rounds / 60));
const measured = [];
for (let number = 0; number < rounds; number++) {
  await round(number);
  if ((number + 1) % every === 0) measured.push([number + 1, memory()]);
}
// Ends of threads are told in a later turn.
await wait(200);
console.log(JSON.stringify({ outcomes, slopes: slopesOf(measured), threads: threads.size }));
process.exit();
