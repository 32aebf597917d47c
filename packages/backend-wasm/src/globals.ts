/**
 * Names of WebAssembly's own types, for applications that have no DOM library, such as some in Node. Where the
 * types exist, these empty declarations merge with them and change nothing.
 *
 * @module
 */

declare global {
  namespace WebAssembly {
    interface Memory {}
    interface Module {}
  }
}

export {};
