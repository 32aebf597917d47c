/** The published story, and decoding it on any backend with any cache. */

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { onnx } from "@heed/backend-onnx";
import { webgpu } from "@heed/backend-webgpu";
import { type Attention, createAttention, isHeedError, js, wasm } from "heed";
import { type Checkpoint, readCheckpoint } from "../src/checkpoint.js";
import { modelFolder, readModelFile } from "../src/files.js";
import { type CacheChoice, Model } from "../src/model.js";
import { likeliest, write, writeWithDrafts } from "../src/write.js";

export const folder = modelFolder();

export async function published(): Promise<{ weights: Checkpoint; ids: readonly number[] }> {
  const text = await readFile(join(folder as string, "expected-ids.txt"), "utf8");
  const weights = readCheckpoint(await readModelFile("model"));
  return { weights, ids: text.trim().split(/\s+/).map(Number) };
}

const providers = {
  js: () => js(),
  wasm: () => wasm({ threads: 1 }),
  onnx: () => onnx({ provider: "cpu" }),
  webgpu: () => webgpu({ allowFallbackAdapter: true }),
};
export type Backend = keyof typeof providers;

/** An attention on one backend; null where it is not available. */
export async function attentionOn(backend: Backend): Promise<Attention | null> {
  try {
    return await createAttention({ backends: [providers[backend]()], select: "order" });
  } catch (error) {
    const required = (process.env.HEED_REQUIRE ?? "").split(",").includes(backend);
    if (!required && isHeedError(error)) return null;
    throw error;
  }
}

/** Caches for a text of a length, of each kind. */
export const kinds: Readonly<Record<string, (length: number) => CacheChoice>> = {
  static: (length) => ({ kind: "static", capacity: length }),
  rolling: (length) => ({ kind: "rolling", capacity: length + 8, window: length, keep: 2 }),
  paged: (length) => ({ kind: "paged", capacity: length }),
};

export type Way = "token by token" | "in chunks" | "with drafts";

/** The tokens that follow the first one: written, or the likeliest after each of the published ones. */
export async function decode(
  attention: Attention,
  weights: Checkpoint,
  choice: CacheChoice,
  way: Way,
  ids: readonly number[],
): Promise<number[]> {
  const model = await Model.create(attention, weights, choice);
  try {
    if (way === "in chunks") return await inChunks(model, ids);
    const writer = way === "with drafts" ? writeWithDrafts : write;
    const tokens: number[] = [];
    for await (const token of writer(model, ids.length)) tokens.push(token);
    return tokens;
  } finally {
    model.dispose();
  }
}

async function inChunks(model: Model, ids: readonly number[]): Promise<number[]> {
  const given = [1, ...ids.slice(0, -1)];
  const found: number[] = [];
  while (found.length < given.length) {
    const chunk = given.slice(found.length, found.length + 32);
    for (const row of await model.next(chunk)) found.push(likeliest(row));
  }
  return found;
}

/** How many tokens are the published ones before the first that is not, and in all. */
export function agreement(tokens: readonly number[], ids: readonly number[]): string {
  const first = ids.findIndex((id, i) => tokens[i] !== id);
  const all = ids.filter((id, i) => tokens[i] === id).length;
  return `the first ${first === -1 ? ids.length : first} of ${ids.length} tokens are the published ones, ${all} in all`;
}
