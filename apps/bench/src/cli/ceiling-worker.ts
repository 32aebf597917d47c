import { parentPort, workerData } from "node:worker_threads";
import { measureThread } from "../ceiling/ceiling.js";
import type { CeilingWorkerData } from "./ceiling.js";

const { threads, barrier } = workerData as CeilingWorkerData;
const state = new Int32Array(barrier);
const arrived = 0;
const generation = 1;

/** Waits until every thread is here, so that all measure at the same time. */
function wait(): void {
  const current = Atomics.load(state, generation);
  if (Atomics.add(state, arrived, 1) === threads - 1) {
    Atomics.store(state, arrived, 0);
    Atomics.add(state, generation, 1);
    Atomics.notify(state, generation);
  } else {
    Atomics.wait(state, generation, current);
  }
}

parentPort?.postMessage(await measureThread(wait));
