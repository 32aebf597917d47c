import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";

/** The trained model's files, in a folder by its name. */
export const files = { model: "stories260K.bin", tokenizer: "tok512.bin" } as const;

/** karpathy/tinyllamas, MIT. */
const source = "https://huggingface.co/karpathy/tinyllamas/resolve/main/stories260K";

/** The folder of the example. */
const example = resolve(import.meta.dirname, "..");

/** Folders in which the model may be: what `HEED_MODELS` says, beside the checkout, and what was downloaded. */
export function modelFolder(): string | null {
  const { HEED_MODELS } = process.env;
  const folders = [
    ...(HEED_MODELS ? [resolve(HEED_MODELS, "stories260K")] : []),
    resolve(example, "../../../shared/models/stories260K"),
    join(example, "model"),
  ];
  return folders.find((folder) => existsSync(join(folder, files.model))) ?? null;
}

/** One of the model's files. It is downloaded where it is nowhere. */
export async function readModelFile(name: keyof typeof files): Promise<ArrayBuffer> {
  const folder = modelFolder() ?? (await download());
  const bytes = await readFile(join(folder, files[name]));
  return new Uint8Array(bytes).buffer;
}

async function download(): Promise<string> {
  const folder = join(example, "model");
  await mkdir(folder, { recursive: true });
  // The model last: the folder counts once it is there.
  for (const name of [files.tokenizer, files.model]) {
    const response = await fetch(`${source}/${name}`);
    if (!response.ok) throw new Error(`${response.url}: ${response.status} ${response.statusText}`);
    await writeFile(join(folder, name), new Uint8Array(await response.arrayBuffer()));
  }
  return folder;
}
