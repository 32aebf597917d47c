import { type ModelInput, type OnnxTensor, type SplicedModel, splice } from "@heed/splice";
import { parseSizes, randomFeeds, readNpz } from "@heed/splice/feeds";
import type { Attention, HostTensor } from "heed";
import { drawWords, pixels, readWords } from "./picture.js";
import type { Feeding, FoundModel, ModelSource, Picture, SiteWeights } from "./protocol.js";
import { whyOf } from "./why.js";

interface Ran {
  readonly key: string;
  readonly weights: HostTensor;
  readonly about: Pick<SiteWeights, "backend" | "reason" | "why" | "picture" | "read">;
  readonly milliseconds: number;
}

/** ONNX models that the page looks at; one at a time. */
export class Models {
  readonly #folder: string;
  #opened: { readonly key: string; readonly model: SplicedModel } | null = null;
  #bytes: { readonly address: string; readonly bytes: Uint8Array } | null = null;
  #ran: Ran | null = null;

  /** @param folder address of the files that come with the page */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** @throws SpliceError for a file that is no model with attention */
  async find(attention: Attention, source: ModelSource): Promise<FoundModel> {
    const model = this.#opened?.key.endsWith(` ${keyOf(source)}`)
      ? this.#opened.model
      : await this.#model(attention, "js", source);
    return {
      sites: model.sites,
      notUnderstood: model.notUnderstood,
      picture: model.inputs.some(isPicture),
    };
  }

  async weights(
    attention: Attention,
    backend: string,
    source: ModelSource,
    feeding: Feeding,
    chosen: { readonly site: number; readonly head: number },
  ): Promise<SiteWeights> {
    const { address } = source;
    const model = await this.#model(attention, backend, source);
    const key = JSON.stringify([backend, source, feeding, chosen.site]);
    if (this.#ran?.key !== key) {
      this.#ran = await this.#run(attention, model, { key, address, feeding, site: chosen.site });
    }
    const { weights, about, milliseconds } = this.#ran;
    const [, heads, rows, columns] = weights.shape as [number, number, number, number];
    const head = Math.min(chosen.head, heads - 1);
    const { data, offset, strides } = weights as HostTensor<"float32">;
    const own = new Float32Array(rows * columns);
    for (let row = 0; row < rows; row++) {
      const start = offset + head * (strides[1] as number) + row * (strides[2] as number);
      for (let column = 0; column < columns; column++) {
        own[row * columns + column] = data[start + column * (strides[3] as number)] as number;
      }
    }
    return { site: chosen.site, head, heads, rows, columns, weights: own, ...about, milliseconds };
  }

  async #model(attention: Attention, backend: string, source: ModelSource): Promise<SplicedModel> {
    const { address } = source;
    const key = `${backend} ${keyOf(source)}`;
    if (this.#opened?.key === key) return this.#opened.model;
    if (this.#bytes?.address !== address) this.#bytes = { address, bytes: await bytesOf(address) };
    const externalData = (path: string) => externalBytes(source, path);
    const model = await splice(this.#bytes.bytes, { attention, externalData });
    await this.#opened?.model.dispose();
    this.#opened = { key, model };
    return model;
  }

  async #run(
    attention: Attention,
    model: SplicedModel,
    about: {
      readonly key: string;
      readonly address: string;
      readonly feeding: Feeding;
      readonly site: number;
    },
  ): Promise<Ran> {
    const { feeds, picture } = await feedsOf(model, about.feeding);
    const site = model.sites[about.site];
    if (!site) throw new RangeError(`the model has ${model.sites.length} sites`);
    const start = performance.now();
    const { outputs, sites } = await model.run(feeds as never, {
      weights: [site.name],
      inputs: [site.name],
    });
    const milliseconds = performance.now() - start;
    const result = sites.get(site.name);
    const weights = result?.weights;
    if (!weights) throw new Error(`${site.name} has no weights: ${result?.reason ?? ""}`);
    if (weights.dtype !== "float32") throw new Error(`weights are ${weights.dtype}, not float32`);
    const recogniser = about.address === new URL("recogniser.onnx", this.#folder).href;
    return {
      key: about.key,
      weights,
      milliseconds,
      about: {
        backend: result.backend ?? "onnxruntime",
        reason: result.reason,
        why: result.inputs
          ? whyOf(attention, attention.explain(result.inputs))
          : (result.reason ?? ""),
        picture,
        read: recogniser ? await readWords(Object.values(outputs)[0], this.#folder) : null,
      },
    };
  }
}

function keyOf({ address, data }: ModelSource): string {
  return [address, ...Object.values(data)].join(" ");
}

/** Weights outside a model: in a file that was opened as well, or beside the model's address. */
async function externalBytes({ address, data }: ModelSource, path: string): Promise<Uint8Array> {
  const opened = data[path.split("/").at(-1) as string];
  if (opened !== undefined) return bytesOf(opened);
  if (!address.startsWith("blob:")) return bytesOf(new URL(path, address).href);
  throw new Error(`weights of the model are in the file ${path}: open it together with the model`);
}

async function bytesOf(address: string): Promise<Uint8Array> {
  const response = await fetch(address).catch((cause: unknown) => {
    const opened = address.startsWith("blob:") ? "; open the file again" : "";
    throw new Error(`the model cannot be read${opened}`, { cause });
  });
  if (!response.ok) throw new Error(`${address}: ${response.status} ${response.statusText}`);
  return new Uint8Array(await response.arrayBuffer());
}

/** Pictures have four axes, and one or three channels. */
function isPicture({ dims, elementType }: ModelInput): boolean {
  return elementType === 1 && dims?.length === 4 && (dims[1] === 1 || dims[1] === 3);
}

async function feedsOf(
  model: SplicedModel,
  { feeds, sizes, words }: Feeding,
): Promise<{ readonly feeds: Record<string, OnnxTensor>; readonly picture: Picture | null }> {
  if (feeds !== "") return { feeds: readNpz(await bytesOf(feeds)), picture: null };
  const input = model.inputs.find(isPicture);
  const given = randomFeeds(
    model.inputs.filter((one) => one !== input),
    parseSizes(sizes),
  );
  if (!input) return { feeds: given, picture: null };
  const [, channels, height, width] = input.dims as readonly (number | string | null)[];
  const number = (size: unknown) => (typeof size === "number" ? size : null);
  const picture = drawWords(words, number(height) ?? 48, number(width));
  const tensor: OnnxTensor = {
    type: "float32",
    dims: [1, channels as number, picture.height, picture.width],
    data: pixels(picture, channels as number),
  };
  return { feeds: { ...given, [input.name]: tensor }, picture };
}
