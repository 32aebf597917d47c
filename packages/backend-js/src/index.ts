/**
 * Attention in plain TypeScript: what runs where nothing else can.
 *
 * @module
 */
import type { AttentionProvider } from "@heed/core";
import { JsBackend } from "./backend.js";

/** The JavaScript backend: every problem of the semantics, on the calling thread, everywhere. */
export function js(): AttentionProvider {
  return { name: "js", load: async () => new JsBackend() };
}
