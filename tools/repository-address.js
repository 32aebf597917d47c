// The repository's address on the web: `repository.url` of the root package.json, empty until it is published.
import { readFileSync } from "node:fs";
import { join } from "node:path";

/**
 * @param {string} root the repository
 * @returns {string} such as https://example.org/heed, without a slash at the end; empty if there is none yet
 */
export function repositoryAddress(root) {
  const { repository } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  return repository.url.replace(/^git\+/, "").replace(/(?:\.git)?\/?$/, "");
}
