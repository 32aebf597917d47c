import { onnx } from "@heed/backend-onnx";
import * as native from "onnxruntime-node";
import * as web from "onnxruntime-web";

/** A backend on one thread, and what is noted of the inputs of each run of its sessions that has a query. */
export async function watched<Note>(
  note: (feeds: native.InferenceSession.FeedsType) => Note,
  provider: "cpu" | "wasm" = "cpu",
) {
  const runs: Note[] = [];
  const ort = provider === "cpu" ? native : web;
  const create = async (model: Uint8Array, options: native.InferenceSession.SessionOptions) => {
    const session = await ort.InferenceSession.create(model, options);
    const run = session.run.bind(session) as (...args: unknown[]) => Promise<unknown>;
    session.run = ((feeds: native.InferenceSession.FeedsType, ...rest: unknown[]) => {
      if (feeds.query) runs.push(note(feeds));
      return run(feeds, ...rest);
    }) as typeof session.run;
    return session;
  };
  const runtime = { env: ort.env, Tensor: ort.Tensor, InferenceSession: { create } };
  return { runs, backend: await onnx({ provider, threads: 1, runtime }).load() };
}

/** The number of logits of a run whose queries and keys are tensors of rank 4. */
export function logits({ query, key }: native.InferenceSession.FeedsType): number {
  const [entries = 0, heads = 0, rows = 0] = query?.dims ?? [];
  return entries * heads * rows * (key?.dims[2] ?? 0);
}
