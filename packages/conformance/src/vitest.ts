/**
 * The suite as vitest tests.
 *
 * @module
 */
import type { AttentionBackend, AttentionProvider } from "@heed/core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { CaseResult } from "./report/report.js";
import { formatFailure } from "./report/text.js";
import { allIds, type CheckOptions, selectCases, unavailability } from "./run/check.js";
import { type AnyCase, checkCase } from "./run/check-case.js";
import { applyDeclaration, readDeclaration } from "./run/declaration.js";

export interface TestBackendOptions
  extends Pick<CheckOptions, "filter" | "profile" | "declaration" | "runs" | "seed"> {
  /** Title of the group of tests. Default the provider's name. */
  readonly title?: string | undefined;
  /**
   * Only the cases that this says yes to, asked in order, once each. For runs that repeat a whole one on
   * another engine or device: only what can differ there needs to run. Default all.
   */
  readonly select?: CaseSelection | undefined;
}

/** Says whether to run a case. */
export type CaseSelection = (c: AnyCase) => boolean | Promise<boolean>;

/** Metadata that each test of a case records for reporters. */
export interface CaseMeta {
  conformance?: { readonly provider: string; readonly result: CaseResult };
}

/**
 * Registers a test for each case. A refusal passes once the backend has shown that it really
 * refuses, and is annotated with its reasons; so does a known failure that its declaration names,
 * until it fails no more. A backend that is unavailable here is skipped with the
 * reason, or fails where the environment variable `HEED_REQUIRE` (names, separated by commas) has
 * its name.
 */
export function testBackend(provider: AttentionProvider, options: TestBackendOptions = {}): void {
  const declaration = readDeclaration(options.declaration, allIds());
  describe(options.title ?? `${provider.name} backend`, async () => {
    let backend: AttentionBackend | null = null;
    let missing = "";

    beforeAll(async () => {
      try {
        backend = await provider.load();
      } catch (error) {
        missing = unavailability(error).reason;
      }
    });
    afterAll(() => backend?.dispose());

    test("is available", ({ skip }) => {
      if (backend) return;
      if (required().includes(provider.name)) {
        expect.fail(`${provider.name} is required here but unavailable: ${missing}`);
      }
      skip(`unavailable: ${missing}`);
    });

    const { select = () => true } = options;
    for (const c of selectCases(options)) {
      if (!(await select(c))) continue;
      test(c.id, async ({ annotate, skip, task }) => {
        if (backend === null) return skip(`unavailable: ${missing}`);
        const found = await checkCase({ backend, provider }, c, options);
        const result = applyDeclaration(found, declaration);
        (task.meta as CaseMeta).conformance = { provider: provider.name, result };
        if (result.outcome === "fail") expect.fail(formatFailure(result));
        if (result.known)
          await annotate(`${result.known.why} ${result.known.link}`, "known failure");
        if (result.outcome === "unsupported") {
          await annotate(result.reasons.map(({ message }) => message).join("; "), "refused");
        }
      });
    }
  });
}

/** Node has the variable in `process.env`; vitest puts it on `import.meta.env` in browsers. */
function required(): string[] {
  const { process } = globalThis as { process?: { env?: Record<string, string | undefined> } };
  const meta = import.meta as { env?: Record<string, string | undefined> };
  const names = process?.env?.HEED_REQUIRE ?? meta.env?.HEED_REQUIRE ?? "";
  return names.split(",");
}
