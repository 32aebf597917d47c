/** Name of the backend, in its errors and on its tensors. */
export const backendName = "webgpu";
