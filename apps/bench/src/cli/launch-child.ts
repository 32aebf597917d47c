import { writeFile } from "node:fs/promises";
import { requestFromParams } from "../request.js";
import { measureHere } from "./measure.js";

/** One of several launches: measures what the first argument says, and writes to the second. */
const [params = "", path = ""] = process.argv.slice(2);
const interruption = new AbortController();
process.once("SIGINT", () => interruption.abort());
const report = await measureHere(
  requestFromParams(new URLSearchParams(params)),
  interruption.signal,
);
await writeFile(path, JSON.stringify(report));
