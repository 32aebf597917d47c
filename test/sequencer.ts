import { readFileSync } from "node:fs";
import { relative } from "node:path";
import { BaseSequencer, type TestSpecification } from "vitest/node";
// @ts-expect-error a script without types
import { changedFiles, distances, readPackages } from "../tools/test/affected.js";

/** Seconds that test files took, of those that take long; see tools/test/durations.js. */
type Durations = Readonly<Record<string, number>>;

/**
 * Runs the tests of changed packages first, then those of packages that depend on them; among these, long
 * files first, so that all workers end at about the same time.
 */
export class AffectedFirst extends BaseSequencer {
  override async sort(specifications: TestSpecification[]): Promise<TestSpecification[]> {
    const { root } = this.ctx.config;
    const found: ReadonlyMap<string, number> = distances(readPackages(root), changedFiles(root));
    const durations: Durations = JSON.parse(
      readFileSync(new URL("durations.json", import.meta.url), "utf8"),
    );
    const keyed = specifications.map((specification) => {
      const path = relative(root, specification.moduleId);
      const directory = path.split("/").slice(0, 2).join("/");
      // Vitest adds the browser's name: "browser (chromium)".
      const key = `${specification.project.name.split(" ")[0]} ${path}`;
      const distance = found.get(directory) ?? Number.POSITIVE_INFINITY;
      return { specification, distance, seconds: durations[key] ?? 0, path };
    });
    keyed.sort(
      (a, b) =>
        (a.distance === b.distance ? 0 : a.distance - b.distance) ||
        b.seconds - a.seconds ||
        a.path.localeCompare(b.path),
    );
    return keyed.map(({ specification }) => specification);
  }
}
