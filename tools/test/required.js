// Names that the environment variable HEED_REQUIRE may have.
import { readdirSync } from "node:fs";
import { join } from "node:path";

const engines = ["chromium", "firefox", "webkit", "deno", "bun", "workerd", "webpack"];
/** Servers that tests start. */
const servers = ["nats"];
/** Features of a GPU that tests can be about. */
const features = ["shader-f16", "subgroups", "chromium-experimental-subgroup-matrix"];

/**
 * The names of a list that no test asks for: one that is misspelt would require nothing. Backends are the
 * packages in packages/backend-*.
 *
 * @param {readonly string[]} names
 * @param {string} root of the repository
 * @returns {string[]}
 */
export function unknownRequirements(names, root) {
  const backends = readdirSync(join(root, "packages")).flatMap(
    (name) => /^backend-(.+)/.exec(name)?.[1] ?? [],
  );
  const known = new Set([...engines, ...servers, ...features, ...backends]);
  return names.filter((name) => !known.has(name));
}
