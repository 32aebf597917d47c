// onnxruntime-web's operator Attention: a row of the lowest float32 as attn_mask gives 0; slightly more
// gives the average, as does any other number that is the same for every key.
import * as ort from "onnxruntime-web";
import { encodeAttention } from "../dist/onnx/attention-model.js";

ort.env.wasm.numThreads = 1;
const model = { causal: false, scale: 1, softcap: 0, mask: "float", nonpad: false, qk: null };
const session = await ort.InferenceSession.create(encodeAttention(model));
const tensor = (list) => new ort.Tensor("float32", list, [1, 1, 2, 2]);
for (const bias of [-1e9, -3.4e38, -3.4028234663852886e38]) {
  const { Y } = await session.run({
    Q: tensor([1, 2, 3, 4]),
    K: tensor([1, 2, 1, 2]),
    V: tensor([1, 2, 3, 4]),
    attn_mask: tensor([0, 0, bias, bias]),
  });
  console.log(bias, Array.from(Y.data).slice(2));
}
