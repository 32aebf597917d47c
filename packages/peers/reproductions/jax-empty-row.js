// @jax-js/jax: a query that may see no key gets NaN; other frameworks give 0.
import "core-js/actual/iterator/index.js";
import { DType, defaultDevice, init, nn, numpy as np } from "@jax-js/jax";

await init("wasm");
defaultDevice("wasm");
const tensor = () => np.array([1, 2, 3, 4], { shape: [1, 2, 1, 2] });
const mask = np.array([true, true, false, false], { shape: [1, 1, 2, 2], dtype: DType.Bool });
const output = nn.dotProductAttention(tensor(), tensor(), tensor(), { mask });
console.log(Array.from(await output.data()));
