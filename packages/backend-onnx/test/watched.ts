import { onnx } from "@heed/backend-onnx";
import * as ort from "onnxruntime-node";

/** A backend of the provider cpu on one thread, and what is noted of the inputs of each run of its sessions that has a query. */
export async function watched<Note>(note: (feeds: ort.InferenceSession.FeedsType) => Note) {
  const runs: Note[] = [];
  const create = async (model: Uint8Array, options: ort.InferenceSession.SessionOptions) => {
    const session = await ort.InferenceSession.create(model, options);
    const run = session.run.bind(session) as (...args: unknown[]) => Promise<unknown>;
    session.run = ((feeds: ort.InferenceSession.FeedsType, ...rest: unknown[]) => {
      if (feeds.query) runs.push(note(feeds));
      return run(feeds, ...rest);
    }) as typeof session.run;
    return session;
  };
  const runtime = { env: ort.env, Tensor: ort.Tensor, InferenceSession: { create } };
  return { runs, backend: await onnx({ provider: "cpu", threads: 1, runtime }).load() };
}
