/** A backend in a repository of its own, made by the documented command and installed from packed tarballs. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const built = ["core", "conformance"].every((name) => existsSync(`packages/${name}/dist`));

test.skipIf(!built)("installs, passes and is measured", { timeout: 600_000 }, async () => {
  // The other repository runs vitest, too, which takes such variables for its own.
  const own = Object.entries(process.env).filter(
    ([name]) => !/^(VITEST|NODE_ENV$|HEED_)/.test(name),
  );
  const { stdout } = await promisify(execFile)(process.execPath, ["tools/try-repository.js"], {
    env: Object.fromEntries(own),
    maxBuffer: 2 ** 26,
  });
  expect(stdout).toContain(
    "a backend in a repository of its own installs, passes, and is measured",
  );
});
