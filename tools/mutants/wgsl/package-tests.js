// The package's own tests, which judge numbers that are not finite, too, which the suite leaves to a GPU.

/** @type {import("../suite/package-tests.js").JudgingTests} */
export const packageTests = {
  folder: "packages/backend-webgpu/test",
  // Tests of the suite, which has been asked; those that take minutes; of packaging; of what compiles; and of what TypeScript
  // decides.
  others:
    /places|browser|^(conformance|snapshots|wgsl|bundling|adapter|choose|decide|faults|host-memory|memory-growth|options|overlap|tile-map)/,
  config: "tools/mutants/wgsl/vitest.config.js",
  /** @param {{ line: string, changed: string } | null} mutant */
  environment: (_, mutant) => ({ HEED_MUTANTS_LINE: JSON.stringify(mutant) }),
};
