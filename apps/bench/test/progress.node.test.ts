import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { createProgress } from "../src/cli/progress.js";
import { runBenchmark } from "../src/measure/run-benchmark.js";
import { customWorkload } from "../src/workloads/generated.js";
import { parseShape } from "../src/workloads/shape.js";
import { environment, refusing, right } from "./contenders.js";

const workloads = ["H2,L8,D4", "H2,L9,D4"].map((shape) => customWorkload(parseShape(shape)));

async function written(isTTY: boolean): Promise<string> {
  const stream = Object.assign(new PassThrough(), {
    isTTY,
    columns: 120,
    cursorTo: () => true,
    clearLine: () => true,
    moveCursor: () => true,
  });
  const progress = createProgress(workloads, stream as unknown as NodeJS.WriteStream);
  await runBenchmark({
    workloads,
    contenders: [right, refusing],
    environment,
    dtype: "float32",
    threads: 1,
    budget: 5,
    samples: 1,
    onProgress: (event) => progress.update(event),
  });
  progress.stop();
  return String(stream.read());
}

test("in a log, a line a case with the time left", async () => {
  const lines = (await written(false)).trimEnd().split("\n");
  expect(lines).toHaveLength(2);
  const line = /B1,H2,L\d,D4: right [\d.]+ ms, choosy refused \([\d.]+ s(.*)\)$/;
  expect(line.exec(lines[0] ?? "")?.[1]).toBe(", about 0 s left");
  expect(line.exec(lines[1] ?? "")?.[1]).toBe("");
});

test("on a terminal, a bar", async () => {
  expect(await written(true)).toContain("left");
});
