/// <reference types="vite/client" />
import type { ReadVector } from "@heed/conformance";

/** The addresses that the bundler gives the recorded vectors, by path. */
const addresses = import.meta.glob<string>(
  "../../../packages/conformance/vectors/**/*.safetensors",
  { query: "?url", import: "default" },
);

/** Recorded vectors as the bundler serves them. */
export const readVector: ReadVector = async (path) => {
  const address = addresses[`../../../packages/conformance/vectors/${path}`];
  if (address === undefined) throw new Error(`there is no vector ${path}`);
  const response = await fetch(await address());
  if (!response.ok) throw new Error(`${path}: ${response.status} ${response.statusText}`);
  return new Uint8Array(await response.arrayBuffer());
};
