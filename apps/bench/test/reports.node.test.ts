import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseDeviceReport } from "@heed/conformance/device-report";
import { expect, test } from "vitest";

/** The reports that people have sent in. */
const folder = fileURLToPath(new URL("../../../reports/", import.meta.url));
const files = readdirSync(folder).filter((name) => name !== "README.md");

test("there are reports", () => expect(files.length).toBeGreaterThan(0));

test.each(files)("%s is a device report, and its name says of what", (name) => {
  const report = parseDeviceReport(readFileSync(`${folder}${name}`, "utf8"), name);
  const { engine, versions } = report.environment;
  const [major] = /^\d+/.exec(versions[engine] ?? "") ?? [];
  expect(name).toMatch(/^[a-z0-9-]+\.json$/);
  expect(name).toContain(`-${engine}-${major}.json`);
  // Without a name it would stand in the matrix under its processor, of which browsers say nothing.
  expect(report.device).not.toBeNull();
});
