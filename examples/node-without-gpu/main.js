import { createAttention, zeros } from "heed";

const attention = await createAttention({ backends: ["webgpu", "wasm", "js"] });
const tokens = zeros("float32", [1, 8, 128, 64]);
const call = { query: tokens, key: tokens, value: tokens, causal: true };

const { backend } = await attention.run(call);
console.log("ran on", backend);
console.log(String(attention.explain(call)));
await attention.dispose();
