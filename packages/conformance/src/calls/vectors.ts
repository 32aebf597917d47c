import type { AttentionInputs, HostTensor } from "@heed/core";
import { readSafeTensors, type SafeTensors } from "@heed/core/safetensors";
import { vectorFiles } from "../operations/attention/vectors/files.js";

export type VectorFolder = keyof typeof vectorFiles;

/** A recorded vector that this package carries. */
export interface VectorCase {
  /** E.g. `"vectors/torch/gqa_4_2_l33_d32"`. */
  readonly id: string;
  readonly folder: VectorFolder;
  readonly name: string;
}

/** Every recorded vector: other projects' oracles, and tensors captured from two trained models. */
export const vectorCases: readonly VectorCase[] = (
  Object.keys(vectorFiles) as VectorFolder[]
).flatMap((folder) =>
  vectorFiles[folder].map((name) => ({ id: `vectors/${folder}/${name}`, folder, name })),
);

/** Reads a file of the folder `vectors` by its path in there. */
export type ReadVector = (path: string) => Promise<Uint8Array>;

/** From beside this module: from disk in Node, by fetch elsewhere. */
export const readPackagedVector: ReadVector = async (path) => {
  // Through a variable: bundlers rewrite the literal pattern, and cannot know the file.
  const here = import.meta.url;
  const url = new URL(`../../vectors/${path}`, here);
  if (url.protocol === "file:") {
    const { readFile } = await import("node:fs/promises");
    return readFile(url);
  }
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url.href}: ${response.status} ${response.statusText}`);
  return new Uint8Array(await response.arrayBuffer());
};

export async function loadVector(
  { folder, name }: VectorCase,
  read: ReadVector = readPackagedVector,
): Promise<SafeTensors> {
  return readSafeTensors(await read(`${folder}/${name}.safetensors`));
}

/** A call captured from a trained model, with what the model's own runtime or float64 made of it. */
export interface RealCall {
  readonly id: string;
  /** The model and its licence. */
  readonly origin: string;
  readonly inputs: AttentionInputs<HostTensor>;
  readonly expected: { readonly output: HostTensor; readonly weights: HostTensor };
}

/** The calls captured from trained models: a sentence encoder and a text recogniser. */
export async function loadRealCalls(read: ReadVector = readPackagedVector): Promise<RealCall[]> {
  const real = vectorCases.filter(({ folder }) => folder === "real");
  return Promise.all(real.map(async (c) => realCall(c, await loadVector(c, read))));
}

export function realCall(c: VectorCase, { tensors, metadata }: SafeTensors): RealCall {
  const lengths = tensors["in.kvLengths"];
  return {
    id: c.name,
    origin: metadata.model as string,
    inputs: {
      query: tensors["in.query"] as HostTensor,
      key: tensors["in.key"] as HostTensor,
      value: tensors["in.value"] as HostTensor,
      kvLengths: lengths && (lengths.data as Int32Array),
      scale: metadata.scale === undefined ? undefined : Number(metadata.scale),
      returns: { weights: true },
    },
    expected: {
      output: tensors["out.output"] as HostTensor,
      weights: tensors["out.weights"] as HostTensor,
    },
  };
}
