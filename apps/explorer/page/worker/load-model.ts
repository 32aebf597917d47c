import { Encoder } from "../model/encoder.js";
import { Tokeniser, type Vocabulary } from "../model/tokens.js";
import { type WeightGroup, Weights } from "../model/weights.js";

export interface Model {
  readonly encoder: Encoder;
  readonly tokeniser: Tokeniser;
}

/**
 * Fetches the model.
 *
 * @param folder address of its files, with a slash at its end
 * @param onProgress called with the number of files that are there, and of all
 */
export async function loadModel(
  folder: string,
  onProgress: (loaded: number, all: number) => void,
): Promise<Model> {
  const fetched = async (name: string): Promise<Response> => {
    const response = await fetch(new URL(name, folder));
    if (!response.ok) throw new Error(`${response.url}: ${response.status} ${response.statusText}`);
    return response;
  };
  const [groups, vocabulary] = await Promise.all([
    fetched("manifest.json").then((response) => response.json() as Promise<WeightGroup[]>),
    fetched("vocab.json").then((response) => response.json() as Promise<Vocabulary>),
  ]);
  const group = groups[0] as WeightGroup;
  let loaded = 0;
  const parts = await Promise.all(
    group.paths.map(async (path) => {
      const bytes = await (await fetched(path)).arrayBuffer();
      onProgress(++loaded, group.paths.length);
      return bytes;
    }),
  );
  const bytes = await new Blob(parts).arrayBuffer();
  return {
    encoder: new Encoder(new Weights(group, bytes)),
    tokeniser: new Tokeniser(vocabulary),
  };
}
