import type { ReadVector } from "@heed/conformance";
import { render } from "preact";
import type { PageQuery } from "../src/query.js";
import { App } from "./app.js";
import { SuiteRun } from "./suite-run.js";

/** Shows the page in an element. @returns its run, which has not begun */
export function mount(root: HTMLElement, query: PageQuery, readVector: ReadVector): SuiteRun {
  const suite = new SuiteRun(query, readVector);
  render(<App suite={suite} />, root);
  return suite;
}
