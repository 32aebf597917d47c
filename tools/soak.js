// `pnpm soak [--backend js,wasm,…] [--calls 20000] [--problems 8] [--most BYTES]`: does a backend's memory grow with
// the number of calls? Prints the slope of each kind of memory, in bytes a call, and fails where the heap's
// or the process's is larger than --most, if that is given.
import { execFileSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { vulkanEnvironment } from "./vulkan.js";

/** Every backend of this repository. */
const known = readdirSync("packages")
  .filter((name) => name.startsWith("backend-"))
  .map((name) => name.slice("backend-".length));

const { values } = parseArgs({
  options: {
    backend: { type: "string", default: known.join() },
    calls: { type: "string", default: "20000" },
    problems: { type: "string", default: "8" },
    most: { type: "string" },
  },
});
/** An integer of the command line, or the end of the process. */
function integer(name, least) {
  const number = Number(values[name]);
  if (Number.isSafeInteger(number) && number >= least) return number;
  console.error(`--${name}: expected an integer of ${least} or more, got ${values[name]}`);
  process.exit(2);
}
const calls = integer("calls", 300);
const problems = integer("problems", 1);
const most = values.most === undefined ? Number.POSITIVE_INFINITY : integer("most", 0);

const bytes = ({ slope, error }) => `${slope.toFixed(1)} ± ${error.toFixed(1)}`;
const mebibytes = (count) => `${(count / 2 ** 20).toFixed(1)} MiB`;
const backends = values.backend.split(",");
for (const name of backends.filter((backend) => !known.includes(backend))) {
  console.error(`--backend: expected any of ${known.join(", ")}, got ${name}`);
  process.exit(2);
}
for (const backend of backends) {
  const child = execFileSync(
    process.execPath,
    [
      "--expose-gc",
      resolve(import.meta.dirname, "soak/child.js"),
      JSON.stringify({ backend, calls, problems }),
    ],
    {
      encoding: "utf8",
      env: { ...process.env, ...vulkanEnvironment() },
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  const { slopes, before, after, microseconds } = JSON.parse(child.trim().split("\n").at(-1));
  const { heap, external, process: whole } = slopes;
  console.log(
    `${backend}: ${calls} calls of ${problems} problems, ${microseconds.toFixed(0)} µs each`,
  );
  console.log(`  heap      ${bytes(heap)} bytes a call; ${mebibytes(before.heap)} at the end`);
  console.log(
    `  external  ${bytes(external)} bytes a call; ${mebibytes(before.external)} at the end`,
  );
  console.log(
    `  process   ${bytes(whole)} bytes a call; ${mebibytes(before.process)} at the end, ${mebibytes(after.process)} disposed`,
  );
  // A slope within its own error is none.
  const grows = [heap, whole].some(({ slope, error }) => slope - 2 * error > most);
  if (grows) process.exitCode = 1;
}
