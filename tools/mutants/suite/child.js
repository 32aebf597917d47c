// Tries mutants in one process, as its parent sends them: `child.js MODULE`, where the module exports `subject()`,
// which says how to plant a mutant. The parent ends the process if a mutant hangs.
import { pathToFileURL } from "node:url";

const { subject } = await import(pathToFileURL(process.argv[2]).href);
const { probes, plant, keyOf, mutants, isInvalid, askTests } = await subject();

/** @param {"cases" | "tests"} asked who is asked whether the mutant is there */
async function judge(mutant, asked) {
  if (asked === "cases") {
    return probes.judge(keyOf?.(mutant), (running) => process.send({ running }));
  }
  // Tests take longer than a case; what ends them if they hang is in `askTests`.
  const timer = setInterval(() => process.send({ running: "the package's tests" }), 5000);
  const found = await askTests();
  clearInterval(timer);
  return found ?? { outcome: "lives" };
}

process.on("message", async ({ mutant, asked }) => {
  let undo;
  try {
    undo = await plant(mutant);
  } catch (error) {
    process.send({ result: { outcome: "invalid", failures: [String(error.message ?? error)] } });
    return;
  }
  if (undo === null) {
    process.send({ result: { outcome: "equivalent", reason: "compiles to the same program" } });
    return;
  }
  const result = await judge(mutant, asked);
  await undo();
  // A program that is refused before it runs is none.
  if (result.failures?.some((failure) => isInvalid?.(failure))) result.outcome = "invalid";
  process.send({ result });
});
process.send({ mutants });
