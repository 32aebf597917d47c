// onnxruntime-web's operator Attention: NaN in a value past nonpad_kv_seqlen reaches the output.
import * as ort from "onnxruntime-web";
import { encodeAttention } from "../dist/onnx/attention-model.js";

ort.env.wasm.numThreads = 1;
const model = { causal: false, scale: 1, softcap: 0, mask: null, nonpad: true, qk: null };
const session = await ort.InferenceSession.create(encodeAttention(model));
const tensor = (list) => new ort.Tensor("float32", list, [1, 1, 2, 2]);
const { Y } = await session.run({
  Q: tensor([1, 2, 3, 4]),
  K: tensor([1, 2, 3, 4]),
  V: tensor([1, 2, Number.NaN, 4]),
  nonpad_kv_seqlen: new ort.Tensor("int64", [1n], [1]),
});
console.log(Array.from(Y.data));
