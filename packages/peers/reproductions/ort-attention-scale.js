// onnxruntime-web's operator Attention: no session with a scale of 0 or below, which ONNX allows.
import * as ort from "onnxruntime-web";
import { encodeAttention } from "../dist/onnx/attention-model.js";

ort.env.wasm.numThreads = 1;
for (const scale of [0.5, 0, -0.5]) {
  const model = { causal: false, scale, softcap: 0, mask: null, nonpad: false, qk: null };
  const made = await ort.InferenceSession.create(encodeAttention(model)).then(
    () => "a session",
    () => "an error",
  );
  console.log(`scale ${scale}: ${made}`);
}
