// `pnpm soak [--backend js,wasm,…] [--calls 20000] [--problems 8] [--most BYTES]`: does a backend's memory grow with
// the number of calls? Prints the slope of each kind of memory, in bytes a call, and of the heap without the code that the
// engine compiled. Fails where the heap's or the process's is larger than --most, if that is given.
//
// `pnpm soak --faults [--rounds 1000] [--most BYTES]`: the same of attentions whose worker is killed, whose device is
// destroyed, which are disposed, or whose call is aborted, while they compute. Prints how the calls ended, and fails
// where one hangs, has a wrong result or an untyped error, or where a thread is left.
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
    faults: { type: "boolean", default: false },
    rounds: { type: "string", default: "1000" },
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

/** The last line that a script of this folder prints, in a process of its own, as an object. */
function measureIn(script, settings) {
  const printed = execFileSync(
    process.execPath,
    ["--expose-gc", resolve(import.meta.dirname, "soak", script), JSON.stringify(settings)],
    {
      encoding: "utf8",
      env: { ...process.env, ...vulkanEnvironment() },
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  return JSON.parse(printed.trim().split("\n").at(-1));
}
/** Whether memory grows by more than is allowed; a slope within its own error is none. */
const grows = ({ slope, error }) => slope - 2 * error > most;

if (values.faults) {
  const rounds = integer("rounds", 20);
  for (const fault of ["worker killed", "call aborted", "attention disposed", "device destroyed"]) {
    const { outcomes, missing, slopes, threads } = measureIn("faults.js", { rounds, fault });
    if (missing) {
      console.log(`${fault}: left out: ${missing}`);
      continue;
    }
    console.log(`${fault}: ${rounds} rounds`);
    for (const [outcome, count] of Object.entries(outcomes)) console.log(`  ${count} × ${outcome}`);
    const { heap, objects, process: whole } = slopes;
    console.log(
      `  heap ${bytes(heap)} (without compiled code ${bytes(objects)}), process ${bytes(whole)} bytes a round`,
    );
    if (threads > 0) console.log(`  ${threads} threads are left`);
    if (threads > 0 || grows(slopes.heap) || grows(slopes.process)) process.exitCode = 1;
  }
  process.exit();
}
const backends = values.backend.split(",");
for (const name of backends.filter((backend) => !known.includes(backend))) {
  console.error(`--backend: expected any of ${known.join(", ")}, got ${name}`);
  process.exit(2);
}
for (const backend of backends) {
  const { slopes, before, after, microseconds } = measureIn("child.js", {
    backend,
    calls,
    problems,
  });
  const { heap, objects, external, process: whole } = slopes;
  console.log(
    `${backend}: ${calls} calls of ${problems} problems, ${microseconds.toFixed(0)} µs each`,
  );
  console.log(`  heap      ${bytes(heap)} bytes a call; ${mebibytes(before.heap)} at the end`);
  console.log(`  of it     ${bytes(objects)} without compiled code`);
  console.log(
    `  external  ${bytes(external)} bytes a call; ${mebibytes(before.external)} at the end`,
  );
  console.log(
    `  process   ${bytes(whole)} bytes a call; ${mebibytes(before.process)} at the end, ${mebibytes(after.process)} disposed`,
  );
  if (grows(heap) || grows(whole)) process.exitCode = 1;
}
