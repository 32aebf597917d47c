/** Name of the contender that runs a model's own nodes. */
export const runtimeName = "onnxruntime";
