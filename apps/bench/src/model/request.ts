/** A model to measure: an ONNX file, and what it is fed. */
export interface ModelRequest {
  /** The file's path, or on a page its address. */
  readonly file: string;
  /** The file's name, for people: of a file that was dropped on a page, the address does not hold it. */
  readonly name: string;
  /** Path or address of a file of `numpy.savez` with an array for each input; null for random feeds. */
  readonly feeds: string | null;
  /** On a page: addresses of opened files in which weights of the model are, by their names. */
  readonly data: Readonly<Record<string, string>>;
  /** Sizes of random feeds, such as `batch=1,length=128`; null for batch 1 and length 128. */
  readonly random: string | null;
}

const defaultSizes = "batch=1,length=128";

/** Sizes of the model's random feeds. */
export function sizesOf({ random }: ModelRequest): string {
  return random ?? defaultSizes;
}

/** A model by the path or the address of its file. */
export function modelRequest(
  file: string,
  { name, feeds = null, random = null, data = {} }: Partial<Omit<ModelRequest, "file">> = {},
): ModelRequest {
  return { file, name: name ?? nameIn(file), feeds, random, data };
}

/** The last part of a path or an address. */
export function nameIn(file: string): string {
  return file.split(/[\\/]/).at(-1) || file;
}

/** The model in the parameters of a URL. */
export function modelFromParams(params: URLSearchParams): ModelRequest | null {
  const file = params.get("model");
  if (!file) return null;
  const name = params.get("model-name");
  return modelRequest(file, {
    ...(name && { name }),
    feeds: params.get("feeds"),
    random: params.get("random"),
    data: Object.fromEntries(
      params.getAll("data").map((one) => {
        // An address of an opened file has no space; its name may.
        const at = one.indexOf(" ");
        return [one.slice(at + 1), one.slice(0, at)];
      }),
    ),
  });
}

/** Writes what {@link modelFromParams} reads. */
export function modelToParams(model: ModelRequest, params: URLSearchParams): void {
  params.set("model", model.file);
  if (model.name !== nameIn(model.file)) params.set("model-name", model.name);
  if (model.feeds !== null) params.set("feeds", model.feeds);
  if (model.random !== null) params.set("random", model.random);
  for (const [name, address] of Object.entries(model.data)) {
    params.append("data", `${address} ${name}`);
  }
}
