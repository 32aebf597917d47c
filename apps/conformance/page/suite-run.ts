import {
  type CaseResult,
  type CheckOptions,
  type ConformanceReport,
  checkBackend,
  type Profile,
  type ReadVector,
  selectCases,
} from "@heed/conformance";
import { conformancePart } from "@heed/conformance/device-report";
import { addToOwnReport, announceProgress } from "@heed/page";
import { computed, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import { type Offered, offered } from "../src/backends.js";
import type { PageQuery } from "../src/query.js";

/** How far a run is. */
export interface RunProgress {
  /** Cases done, of all backends. */
  readonly done: number;
  readonly total: number;
  /** The current step, in a few words. */
  readonly now: string;
}

/** A case that is looked at: its id, and what each backend made of it. */
export interface ShownCase {
  readonly id: string;
  readonly results: readonly { readonly backend: string; readonly result: CaseResult }[];
}

/** State of a run of the suite: the backends and cases asked for, the progress, and the results. */
export class SuiteRun {
  readonly query: PageQuery;
  /** Names of backends to check. */
  readonly backends: Signal<readonly string[]>;
  /** Only cases of this profile; `""` for all. */
  readonly profile: Signal<Profile | "">;
  /** Only cases whose id contains this. */
  readonly filter: Signal<string>;
  /** Null while nothing runs. */
  readonly progress: Signal<RunProgress | null> = signal(null);
  /** A sentence for whoever waits. */
  readonly status: Signal<string> = signal("");
  readonly reports: Signal<readonly ConformanceReport[]> = signal([]);
  /** Failures of the run under way, as they come. */
  readonly failures: Signal<readonly { readonly backend: string; readonly result: CaseResult }[]> =
    signal([]);
  /** The case whose particulars are shown. */
  readonly chosen: Signal<string | null> = signal(null);
  readonly shown: ReadonlySignal<ShownCase | null>;
  readonly #readVector: ReadVector;

  constructor(query: PageQuery, readVector: ReadVector) {
    this.query = query;
    this.backends = signal(query.backends);
    this.profile = signal(query.profile);
    this.filter = signal(query.filter);
    this.#readVector = readVector;
    this.shown = computed(() => this.#lookAt(this.chosen.value));
    if (query.unknown.length > 0) {
      this.status.value = `There is no backend ${query.unknown.join(", ")} on this page.`;
    }
  }

  /** The cases that are asked for. */
  get options(): CheckOptions {
    return {
      filter: this.filter.value,
      profile: this.profile.value || undefined,
      id: this.query.id,
      readVector: this.#readVector,
    };
  }

  /** Runs what is asked for. @returns the reports, one a backend */
  async run(): Promise<readonly ConformanceReport[]> {
    const { options } = this;
    const count = selectCases(options).length;
    const names = this.backends.value;
    if (count === 0 || names.length === 0) {
      this.status.value = count === 0 ? "There is no such case." : "Choose a backend.";
      return [];
    }
    this.reports.value = [];
    this.failures.value = [];
    this.chosen.value = null;
    this.status.value = "";
    try {
      for (const [i, name] of names.entries()) {
        const backend = offered.find((o) => o.name === name) as Offered;
        const report = await this.#check(backend, options, i * count, names.length * count);
        this.reports.value = [...this.reports.value, report];
      }
    } finally {
      this.progress.value = null;
    }
    const failed = this.reports.value.reduce((sum, { counts }) => sum + counts.fail, 0);
    this.status.value =
      failed === 0
        ? "Done: nothing failed."
        : `Done: ${failed} case${failed === 1 ? "" : "s"} failed.`;
    // A few cases say little about a device.
    if (this.query.id === undefined && this.filter.value === "") {
      const peers = new Set(offered.filter(({ isPeer }) => isPeer).map(({ name }) => name));
      const own = this.reports.value.filter(({ backend }) => !peers.has(backend));
      if (own.length > 0) addToOwnReport({ conformance: conformancePart(own) });
    }
    // An address that names one case shows that case's results at once.
    if (this.query.id !== undefined) this.chosen.value = this.query.id;
    return this.reports.value;
  }

  async #check(
    { name, load, declaration }: Offered,
    options: CheckOptions,
    before: number,
    total: number,
  ): Promise<ConformanceReport> {
    this.progress.value = { done: before, total, now: `${name}: loading` };
    return checkBackend(await load(), {
      ...options,
      name,
      declaration: await declaration(),
      onResult: (result, done, ofBackend) => {
        const now = `${name}: ${done} of ${ofBackend}, ${result.id}`;
        this.progress.value = { done: before + done, total, now };
        announceProgress(now);
        if (result.outcome === "fail") {
          this.failures.value = [...this.failures.value, { backend: name, result }];
        }
      },
    });
  }

  #lookAt(id: string | null): ShownCase | null {
    if (id === null) return null;
    const results = this.reports.value.flatMap(({ backend, results: all }) =>
      all.filter((result) => result.id === id).map((result) => ({ backend, result })),
    );
    return { id, results };
  }
}
