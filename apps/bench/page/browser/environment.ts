import { describeBrowser } from "@heed/page";
import type { Environment } from "../../src/report/report.js";
import type { Capability } from "./capabilities.js";

/** The environment that this page runs in. Browsers name neither the processor nor the memory. */
export function browserEnvironment(capabilities: readonly Capability[]): Environment {
  const notes = capabilities.flatMap(({ present, title, missing }) =>
    present ? [] : [`no ${title}: ${missing}`],
  );
  return {
    ...describeBrowser(),
    date: new Date().toISOString(),
    cpu: null,
    memory: null,
    ...(notes.length > 0 && { notes }),
  };
}
