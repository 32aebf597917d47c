// Writes test/durations.json, by which long test files start first: `node tools/test/durations.js REPORT…`,
// with what HEED_TEST_REPORT=report.json pnpm test has written.
import { existsSync, readFileSync, writeFileSync } from "node:fs";

/** Shorter files are not worth a line. */
const leastSeconds = 5;

const target = new URL("../../test/durations.json", import.meta.url);
const durations = JSON.parse(readFileSync(target, "utf8"));
for (const report of process.argv.slice(2)) {
  const { files } = JSON.parse(readFileSync(report, "utf8"));
  for (const { project, path, seconds } of files) {
    const key = `${project} ${path}`;
    if (seconds >= leastSeconds) durations[key] = Math.round(seconds);
    else delete durations[key];
  }
}
/** Tests that were moved or deleted since are dropped. */
const exists = (key) => existsSync(new URL(`../../${key.split(" ")[1]}`, import.meta.url));
const sorted = Object.fromEntries(
  Object.entries(durations)
    .filter(([key]) => exists(key))
    .sort(([, a], [, b]) => b - a),
);
writeFileSync(target, `${JSON.stringify(sorted, null, 2)}\n`);
