/** Headers of every file. */
export const headers = {
  // Isolation: without these two there is no shared memory, and WebAssembly runs on one thread.
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
  "Content-Security-Policy": [
    "default-src 'self'",
    // Without 'wasm-unsafe-eval', nothing may compile WebAssembly, and plain JavaScript computes.
    "script-src 'self' 'wasm-unsafe-eval'",
    // The threads of WebAssembly are workers made from text.
    "worker-src 'self' blob:",
    "img-src 'self' data:",
  ].join("; "),
};
