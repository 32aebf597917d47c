import { signal } from "@preact/signals";
import type { Call, Computation, Message } from "./protocol.js";

/** Share of the model that is there, 0 to 1. */
export const loadedShare = signal(0);

const folder = new URL("./model/", document.baseURI).href;
const worker = new Worker(new URL("./explorer.worker.ts", import.meta.url), {
  type: "module",
  name: folder,
});
const waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
let calls = 0;

worker.addEventListener("message", ({ data }: MessageEvent<Message>) => {
  if ("loaded" in data) {
    loadedShare.value = data.loaded / data.all;
    return;
  }
  const call = waiting.get(data.id);
  waiting.delete(data.id);
  if ("problem" in data) call?.reject(new Error(data.problem));
  else call?.resolve(data.result);
});
worker.addEventListener("error", ({ message }) => {
  for (const { reject } of waiting.values()) reject(new Error(message || "the worker failed"));
  waiting.clear();
});

/** Has the worker compute something. */
export function compute<Name extends keyof Computation>(
  name: Name,
  ...args: Parameters<Computation[Name]>
): Promise<ReturnType<Computation[Name]>> {
  const id = calls++;
  worker.postMessage({ id, call: [name, ...args] as unknown as Call });
  return new Promise((resolve, reject) => {
    waiting.set(id, { resolve: resolve as (value: unknown) => void, reject });
  });
}
