// @jax-js/jax: NaN in a value past keyValueSeqLengths reaches the output, as 0 · NaN.
import "core-js/actual/iterator/index.js";
import { DType, defaultDevice, init, nn, numpy as np } from "@jax-js/jax";

await init("wasm");
defaultDevice("wasm");
const tensor = (list) => np.array(list, { shape: [1, 2, 1, 2] });
const lengths = np.array([1], { dtype: DType.Int32 });
const output = nn.dotProductAttention(
  tensor([1, 2, 3, 4]),
  tensor([1, 2, 3, 4]),
  tensor([1, 2, Number.NaN, 4]),
  { keyValueSeqLengths: lengths },
);
console.log(Array.from(await output.data()));
