import { parentPort, workerData } from "node:worker_threads";
import { measureTogether, type ThreadStart } from "../ceiling/threads.js";

parentPort?.postMessage(await measureTogether(workerData as ThreadStart));
