import {
  type CheckOptions,
  type ConformanceReport,
  checkBackend,
  documentToJson,
  formatFailure,
  makeDocument,
  type ReadVector,
  reportBody,
  selectCases,
  style,
} from "@heed/conformance";
import { backends } from "./backends.js";

/** What the page is opened with, from its address. */
export interface PageQuery {
  /** Names of backends. Default all but the reference. */
  readonly backends: readonly string[];
  /** Only the case of this id. */
  readonly id: string | undefined;
  /** Only cases whose id contains this. */
  readonly filter: string;
  /** Whether to start at once. */
  readonly start: boolean;
}

export function readQuery(search: string): PageQuery {
  const query = new URLSearchParams(search);
  const named = query.getAll("backend").filter((name) => name in backends);
  const id = query.get("case") ?? undefined;
  return {
    backends: named.length > 0 ? named : Object.keys(backends).filter((n) => n !== "reference"),
    id,
    filter: query.get("filter") ?? "",
    start: id !== undefined || query.has("start"),
  };
}

/** The suite with its controls, in an element. */
export class ConformancePage {
  readonly #root: HTMLElement;
  readonly #query: PageQuery;
  readonly #readVector: ReadVector;
  readonly #reports: ConformanceReport[] = [];

  constructor(root: HTMLElement, query: PageQuery, readVector: ReadVector) {
    this.#root = root;
    this.#query = query;
    this.#readVector = readVector;
    root.innerHTML = `<style>${style} progress { width: 100%; }</style>
<main>
<h1>Does attention work on this device?</h1>
<form>
<fieldset><legend>Backends</legend>${Object.keys(backends)
      .map(
        (name) =>
          `<label><input type="checkbox" name="backend" value="${name}"${query.backends.includes(name) ? " checked" : ""}> ${name}</label> `,
      )
      .join("")}</fieldset>
<p><label>Only cases whose name contains <input type="search" name="filter"></label></p>
<p><button type="submit">Run</button> <a hidden download="heed-conformance.json">Download the report as JSON</a></p>
</form>
<p id="status" role="status"></p>
<progress value="0" max="1"></progress>
<pre id="failures"></pre>
</main>
<div id="report"></div>`;
    this.#find<HTMLInputElement>("input[name=filter]").value = query.filter;
    this.#find("form").addEventListener("submit", (event) => {
      event.preventDefault();
      void this.run();
    });
  }

  /** Runs what the form says, and shows the report. */
  async run(): Promise<readonly ConformanceReport[]> {
    const button = this.#find<HTMLButtonElement>("button");
    button.disabled = true;
    this.#reports.length = 0;
    this.#find("#failures").textContent = "";
    const chosen = this.#root.querySelectorAll<HTMLInputElement>("input[name=backend]:checked");
    const names = [...chosen].map(({ value }) => value);
    const options: CheckOptions = {
      filter: this.#find<HTMLInputElement>("input[name=filter]").value,
      id: this.#query.id,
      readVector: this.#readVector,
    };
    const progress = this.#find<HTMLProgressElement>("progress");
    progress.max = Math.max(1, names.length * selectCases(options).length);
    progress.value = 0;
    try {
      for (const name of names) this.#reports.push(await this.#check(name, options, progress));
      this.#show();
    } finally {
      button.disabled = false;
    }
    return this.#reports;
  }

  async #check(
    name: string,
    options: CheckOptions,
    progress: HTMLProgressElement,
  ): Promise<ConformanceReport> {
    const status = this.#find("#status");
    status.textContent = `${name}: loading`;
    const before = progress.value;
    const provider = await (backends[name] as (typeof backends)[string])();
    const report = await checkBackend(provider, {
      ...options,
      onResult: (result, done, total) => {
        progress.value = before + done;
        status.textContent = `${name}: ${done} of ${total}, ${result.id}`;
        if (result.outcome === "fail") {
          this.#find("#failures").textContent += `${name} ${formatFailure(result)}\n\n`;
        }
      },
    });
    progress.value = before + selectCases(options).length;
    return report;
  }

  #show(): void {
    const document = makeDocument(this.#reports);
    const counts = this.#reports.map(({ counts: c }) => c.fail).reduce((a, b) => a + b, 0);
    this.#find("#status").textContent =
      counts === 0 ? "Done: nothing failed." : `Done: ${counts} cases failed.`;
    const link = this.#find<HTMLAnchorElement>("a[download]");
    URL.revokeObjectURL(link.href);
    link.href = URL.createObjectURL(
      new Blob([documentToJson(document)], { type: "application/json" }),
    );
    link.hidden = false;
    const report = this.#find("#report");
    report.innerHTML = reportBody(document, { page: "" });
    // Scripts that are set as text do not run: the filter is told here.
    const filter = report.querySelector<HTMLInputElement>("#filter");
    filter?.addEventListener("input", () => {
      for (const row of report.querySelectorAll<HTMLElement>("#cases tbody tr")) {
        row.hidden = !row.dataset.id?.includes(filter.value);
      }
    });
  }

  #find<E extends HTMLElement = HTMLElement>(selector: string): E {
    return this.#root.querySelector(selector) as E;
  }
}
