import type { ReadVector } from "@heed/conformance";

const files = import.meta.glob<string>("../../../../packages/conformance/vectors/real/*", {
  query: "?url",
  import: "default",
  eager: true,
});

/** Reads a recorded tensor file, which the bundler has put among the page's assets. */
export const readVector: ReadVector = async (path) => {
  const found = Object.entries(files).find(([name]) => name.endsWith(`/${path}`));
  if (!found) throw new Error(`this page carries no ${path}`);
  const response = await fetch(new URL(found[1], import.meta.url));
  if (!response.ok) throw new Error(`${path}: ${response.status} ${response.statusText}`);
  return new Uint8Array(await response.arrayBuffer());
};
