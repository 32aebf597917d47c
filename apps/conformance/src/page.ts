import {
  type CheckOptions,
  type ConformanceReport,
  checkBackend,
  documentToJson,
  formatFailure,
  makeDocument,
  type Profile,
  type ReadVector,
  reportBody,
  selectCases,
} from "@heed/conformance";
import { type Offered, offered } from "./backends.js";
import { form } from "./form.js";
import type { PageQuery } from "./query.js";

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
    root.innerHTML = form(query);
    this.#find<HTMLInputElement>("input[name=filter]").value = query.filter;
    this.#find("#one").textContent = query.id ?? "";
    if (query.unknown.length > 0) {
      this.#say(`There is no backend ${query.unknown.join(", ")} on this page.`);
    }
    this.#find("form").addEventListener("submit", (event) => {
      event.preventDefault();
      void this.run();
    });
  }

  /** Runs what the form says, and shows the report. */
  async run(): Promise<readonly ConformanceReport[]> {
    const options: CheckOptions = {
      filter: this.#find<HTMLInputElement>("input[name=filter]").value,
      profile: (this.#find<HTMLSelectElement>("select").value || undefined) as Profile | undefined,
      id: this.#query.id,
      readVector: this.#readVector,
    };
    const count = selectCases(options).length;
    const chosen = this.#root.querySelectorAll<HTMLInputElement>("input[name=backend]:checked");
    const names = [...chosen].map(({ value }) => value);
    if (count === 0 || names.length === 0) {
      this.#say(count === 0 ? "There is no such case." : "Choose a backend.");
      return [];
    }
    const button = this.#find<HTMLButtonElement>("button");
    button.disabled = true;
    this.#reports.length = 0;
    this.#find("#failures").textContent = "";
    const progress = this.#find<HTMLProgressElement>("progress");
    progress.hidden = false;
    progress.max = names.length * count;
    progress.value = 0;
    try {
      for (const [i, name] of names.entries()) {
        const backend = offered.find((o) => o.name === name) as Offered;
        this.#reports.push(await this.#check(backend, options, progress));
        progress.value = (i + 1) * count;
      }
      this.#show();
    } finally {
      button.disabled = false;
    }
    return this.#reports;
  }

  async #check(
    { name, load, declaration }: Offered,
    options: CheckOptions,
    progress: HTMLProgressElement,
  ): Promise<ConformanceReport> {
    const now = this.#find("#now");
    now.textContent = `${name}: loading`;
    const before = progress.value;
    return checkBackend(await load(), {
      ...options,
      name,
      declaration: await declaration(),
      onResult: (result, done, total) => {
        progress.value = before + done;
        now.textContent = `${name}: ${done} of ${total}, ${result.id}`;
        if (result.outcome === "fail") {
          this.#find("#failures").textContent += `${name} ${formatFailure(result)}\n\n`;
        }
      },
    });
  }

  #show(): void {
    const document = makeDocument(this.#reports);
    const failed = this.#reports.reduce((sum, { counts }) => sum + counts.fail, 0);
    this.#find("#now").textContent = "";
    this.#say(
      failed === 0
        ? "Done: nothing failed."
        : `Done: ${failed} case${failed === 1 ? "" : "s"} failed.`,
    );
    const link = this.#find<HTMLAnchorElement>("a[download]");
    URL.revokeObjectURL(link.href);
    link.href = URL.createObjectURL(
      new Blob([documentToJson(document)], { type: "application/json" }),
    );
    link.hidden = false;
    const report = this.#find("#report");
    report.innerHTML = reportBody(document, { page: "" });
    // A script that is set as text runs once it is a new element.
    for (const inert of report.querySelectorAll("script")) {
      const script = globalThis.document.createElement("script");
      script.textContent = inert.textContent;
      inert.replaceWith(script);
    }
  }

  #say(sentence: string): void {
    this.#find("#status").textContent = sentence;
  }

  #find<E extends HTMLElement = HTMLElement>(selector: string): E {
    return this.#root.querySelector(selector) as E;
  }
}
