/** Name of the backend: of its tensors, and in errors. */
export const backendName = "onnx";
