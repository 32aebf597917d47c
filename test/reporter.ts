import { writeFileSync } from "node:fs";
import { relative } from "node:path";
import type { CaseMeta } from "@heed/conformance/vitest";
import type { Reporter, TestModule, Vitest } from "vitest/node";

/** Contents of the file that `HEED_TEST_REPORT` names, written after a run. */
export interface TestReport {
  readonly passed: number;
  readonly failed: number;
  readonly files: readonly TimedFile[];
  readonly conformance: readonly TestedBackend[];
}

/** Results of one call of `testBackend`: a `CaseResult` for each test of a case. */
export interface TestedBackend {
  readonly project: string;
  /** Title of the group of tests. */
  readonly title: string;
  readonly provider: string;
  readonly results: readonly unknown[];
}

/** A test file and how long its tests took. */
export interface TimedFile {
  /** `"node"` or `"browser"`. */
  readonly project: string;
  /** Relative to the repository. */
  readonly path: string;
  readonly seconds: number;
}

/** Prints how long each package's tests took, and writes a {@link TestReport}. */
export class TimesReporter implements Reporter {
  readonly #file: string | undefined;
  #root = "";

  /** @param file where to write the report. Default: nowhere */
  constructor(file?: string) {
    this.#file = file;
  }

  onInit(vitest: Vitest): void {
    this.#root = vitest.config.root;
  }

  onTestRunEnd(modules: readonly TestModule[]): void {
    const files = modules.map((module) => this.#timed(module));
    console.log(`\n${formatTimes(files)}`);
    if (this.#file === undefined) return;
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    const count = (state: string): number =>
      tests.filter((test) => test.result().state === state).length;
    const conformance = modules.flatMap((module) => testedBackends(module));
    const report: TestReport = {
      passed: count("passed"),
      failed: count("failed"),
      files,
      conformance,
    };
    writeFileSync(this.#file, JSON.stringify(report, finite));
  }

  #timed(module: TestModule): TimedFile {
    const { duration, collectDuration, setupDuration } = module.diagnostic();
    return {
      project: projectName(module),
      path: relative(this.#root, module.moduleId),
      seconds: (duration + collectDuration + setupDuration) / 1000,
    };
  }
}

/** Collects what `testBackend` leaves in the meta data of its tests. */
function testedBackends(module: TestModule): TestedBackend[] {
  return [...module.children.suites()].flatMap((suite) => {
    const found = [...suite.children.allTests()].flatMap(
      (test) => (test.meta() as CaseMeta).conformance ?? [],
    );
    const [first] = found;
    if (first === undefined) return [];
    const results = found.map(({ result }) => result);
    return [{ project: projectName(module), title: suite.name, provider: first.provider, results }];
  });
}

/** Vitest adds the browser's name: `"browser (chromium)"`. */
function projectName({ project }: TestModule): string {
  return project.name.split(" ")[0] as string;
}

/** Seconds by package and project, the longest first. */
function formatTimes(files: readonly TimedFile[]): string {
  const parts = new Map<string, number>();
  for (const { project, path, seconds } of files) {
    const part = `${path.split("/test/")[0]} (${project})`;
    parts.set(part, (parts.get(part) ?? 0) + seconds);
  }
  const lines = [...parts]
    .sort(([, a], [, b]) => b - a)
    .map(([part, seconds]) => `${seconds.toFixed(1).padStart(8)} s  ${part}`);
  return ["Time of the tests of each package, of which several run at once:", ...lines].join("\n");
}

/** JSON has no ±∞ and no NaN: they become strings, as in the suite's own reports. */
function finite(_: string, value: unknown): unknown {
  return typeof value === "number" && !Number.isFinite(value) ? String(value) : value;
}
