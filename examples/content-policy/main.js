import { createAttention, wasm, zeros } from "heed";

const attention = await createAttention({ backends: [wasm({ threads: 2 }), "js"] });
const tokens = zeros("float32", [1, 8, 256, 64]);
const call = { query: tokens, key: tokens, value: tokens };

const { backend } = await attention.run(call);

/** The backend's threads, which start after it has loaded. */
async function threads() {
  for (let tries = 0; ; tries++) {
    const ready = attention.backends.find(
      ({ status, name }) => status === "ready" && name === backend,
    );
    if (ready.info.threads > 1 || tries === 100) return ready.info.threads;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

document.querySelector("output").textContent = [
  `isolated: ${crossOriginIsolated}`,
  `ran on ${backend}, threads: ${await threads()}`,
].join("\n");
