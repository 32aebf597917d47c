import { createAttention, zeros } from "heed";

/** Made once, by the first call. */
let attention = null;

export async function attend() {
  attention ??= createAttention({ backends: ["wasm", "js"] });
  const tokens = zeros("float32", [1, 8, 64, 64]);
  const { backend, output } = await (await attention).run({
    query: tokens,
    key: tokens,
    value: tokens,
  });
  return `${backend}: ${output.shape.join(" × ")}`;
}
