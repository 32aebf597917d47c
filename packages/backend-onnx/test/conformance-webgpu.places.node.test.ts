import { testOnWebgpu } from "./on-webgpu.js";

testOnWebgpu(["core/", "vectors/onnx", "laws/mask"]);
