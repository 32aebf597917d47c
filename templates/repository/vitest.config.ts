import { defineConfig } from "vitest/config";

export default defineConfig({
  // A case may evaluate the reference in float64 many times over.
  test: { testTimeout: 60_000 },
});
