// Starts a NATS server and three workers of a group on this machine, and ends them when it is interrupted:
// node tools/workers.js [--port 4222] [options of heed-worker]
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const worker = fileURLToPath(
  new URL("../packages/backend-cluster/bin/heed-worker.js", import.meta.url),
);
// Debian has it where only root looks.
const server =
  process.env.NATS_SERVER_PATH ??
  (existsSync("/usr/sbin/nats-server") ? "/usr/sbin/nats-server" : "nats-server");

const args = process.argv.slice(2);
const at = args.indexOf("--port");
const [, port = "4222"] = at < 0 ? [] : args.splice(at, 2);
const url = `nats://127.0.0.1:${port}`;

/** @type {import("node:child_process").ChildProcess[]} */
const children = [];
let ending = false;

/** Ends everything: workers first, which give their parts away or not, then the server. */
function end(code = 0) {
  if (ending) return;
  ending = true;
  process.exitCode = code;
  for (const child of children.toReversed()) child.kill("SIGTERM");
}

function start(program, options, output) {
  const child = spawn(program, options, { cwd: root, stdio: ["ignore", output, "pipe"] });
  children.push(child);
  let said = "";
  child.stderr.on("data", (chunk) => {
    said += String(chunk);
    // The server tells of its life there.
    if (program !== server) process.stderr.write(chunk);
  });
  child.once("error", ({ message }) => {
    console.error(`${program}: ${message} (Debian: apt install nats-server)`);
    end(1);
  });
  child.once("exit", (code) => {
    if (!ending) console.error(`${program} ended with ${code}\n${said}`);
    end(1);
  });
  return { ready: (text) => until(() => said.includes(text) || ending) };
}

async function until(done) {
  while (!done()) await new Promise((resolve) => setTimeout(resolve, 20));
}

for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => end());
await start(server, ["-a", "127.0.0.1", "-p", port], "ignore").ready("Server is ready");
if (!ending) {
  // Nobody is left to take the parts of workers that end together.
  const options = ["--servers", url, "--leave-within", "0", ...args];
  for (let i = 0; i < 3; i++) start(process.execPath, [worker, ...options], "inherit");
}
