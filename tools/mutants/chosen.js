// Bugs that were chosen, one at a time in a checkout of their own, and the tests that must notice them.
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cacheBugs } from "./cache-bugs.js";
import { makeWorkspace } from "./workspace.js";

const tests = ["states.node", "writes", "cache", "given-inputs", "memory.node", "laws.node"].map(
  (name) => `packages/cache/test/${name}.test.ts`,
);

/** @param {(bug: object, result: { outcome: string }) => void} record */
export function tryChosen(root, record) {
  const workspace = makeWorkspace(root);
  // Time that the tests take without a bug, and ten times that for one that makes them hang.
  let limit = 3_600_000;

  /** @returns {"noticed" | "hangs" | "lives"} */
  function test() {
    const { status, signal } = spawnSync(
      "node_modules/.bin/vitest",
      ["run", "--project", "node", "--bail", "1", "--reporter", "dot", ...tests],
      {
        cwd: workspace.directory,
        stdio: "ignore",
        timeout: limit,
        env: { ...process.env, HEED_REQUIRE: "" },
      },
    );
    return signal !== null ? "hangs" : status === 0 ? "lives" : "noticed";
  }

  try {
    const started = performance.now();
    if (test() !== "lives") throw new Error("the tests fail without a bug");
    limit = Math.max(60_000, Math.ceil(10 * (performance.now() - started)));
    for (const bug of cacheBugs) {
      const path = join(workspace.directory, bug.file);
      const original = readFileSync(path, "utf8");
      if (original.split(bug.from).length !== 2) {
        throw new Error(`not once in ${bug.file}: ${bug.from}`);
      }
      writeFileSync(
        path,
        original.replace(bug.from, () => bug.to),
      );
      const outcome = test();
      writeFileSync(path, original);
      record(bug, { outcome });
    }
  } finally {
    workspace.remove();
  }
}
