import { expect, test } from "vitest";
// @ts-expect-error a script without types
import { distances, readPackages } from "../tools/test/affected.js";
// @ts-expect-error a script without types
import { packagesOf } from "../tools/test/run.js";

const packages = new Map(
  Object.entries({
    "packages/core": { name: "core", needs: [] },
    "packages/conformance": { name: "conformance", needs: ["core", "commander"] },
    "packages/backend-js": { name: "js", needs: ["core", "conformance"] },
    "apps/bench": { name: "bench", needs: ["js"] },
    "apps/other": { name: "other", needs: [] },
  }),
);

test("packages are as far from a change as they depend on it", () => {
  expect(Object.fromEntries(distances(packages, ["packages/conformance/src/a.ts"]))).toEqual({
    "packages/conformance": 0,
    "packages/backend-js": 1,
    "apps/bench": 2,
  });
  expect(distances(packages, ["packages/core/a", "apps/bench/b"])).toEqual(
    new Map([
      ["packages/core", 0],
      ["apps/bench", 0],
      ["packages/conformance", 1],
      ["packages/backend-js", 1],
    ]),
  );
  // A name that another begins with is another package.
  expect(distances(packages, ["packages/core-x/a", "README.md"])).toEqual(new Map());
});

test("this repository's packages are found", () => {
  const found = readPackages(".");
  expect(found.get("packages/core").name).toBe("@heed/core");
  expect(found.get("packages/backend-js").needs).toContain("@heed/core");
});

test("only the packages of given paths are built", () => {
  expect(packagesOf(["packages/core"])).toEqual(["@heed/core"]);
  expect(packagesOf(["-t", "name", "./packages/backend-js/test/plan", "packages/core"])).toEqual([
    "@heed/backend-js",
    "@heed/core",
  ]);
  expect(packagesOf([])).toBe(null);
  expect(packagesOf(["-t", "some name"])).toBe(null);
  expect(packagesOf(["test/readme", "packages/core"])).toBe(null);
});
