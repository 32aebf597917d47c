/** For tests of what the suite asks about one operation: its cases, and backends that compute nothing else. */
import { type CaseResult, checkCase, selectCases } from "@heed/conformance";
import {
  type AnyOperation,
  type AttentionBackend,
  type BoundOf,
  defineBackend,
  implement,
  type OutputsOf,
  type Provider,
} from "@heed/core";
import { describe, expect, test } from "vitest";

/** Checks a provider by those of an operation's cases whose id the filter takes. */
export type Check = (
  provider: Provider,
  filter: (id: string) => boolean,
) => Promise<readonly CaseResult[]>;

/** The cases of an operation. */
export function casesOf({ name }: AnyOperation): ReturnType<typeof selectCases> {
  return selectCases().filter((c) => "operation" in c && c.operation === name);
}

export function checkOf(operation: AnyOperation): Check {
  const cases = casesOf(operation);
  return async (provider, filter) => {
    const backend = (await provider.load()) as AttentionBackend;
    const subject = { backend, provider } as Parameters<typeof checkCase>[0];
    const results: CaseResult[] = [];
    for (const c of cases.filter(({ id }) => filter(id))) results.push(await checkCase(subject, c));
    backend.dispose();
    return results;
  };
}

/**
 * A backend of one operation alone, on host tensors.
 *
 * @param device name of the device that it claims to run on
 */
export function backendOf<O extends AnyOperation>(
  operation: O,
  run: (bound: BoundOf<O>) => OutputsOf<O>,
  device = "CPU",
): Provider {
  return defineBackend<null>({
    name: `${operation.name} alone`,
    load: () => null,
    info: () => ({ runtime: "JavaScript", device, features: [], threads: 1 }),
    operations: {
      [operation.name]: implement(operation, {
        plan: () => ({
          description: {
            kernel: `${operation.name}-alone`,
            tiles: {},
            workspaceBytes: 0,
            dispatches: 1,
          },
          run,
        }),
      }),
    },
  });
}

/**
 * Tests that a backend which makes a mistake fails, and that the suite names the mistake.
 *
 * @param check checks a backend that makes the mistake of some steps
 * @param tells whether a mistake can be told from others; default all can
 */
export function testMistakes<Steps>(
  mistakes: readonly { readonly name: string; readonly steps: Steps }[],
  check: (steps: Steps) => Promise<readonly CaseResult[]>,
  tells: (name: string) => boolean = () => true,
): void {
  describe("a backend in which", () => {
    test.each(mistakes.map(({ name, steps }) => [name, steps] as const))(
      "%s is found, and told",
      async (name, steps) => {
        const failing = (await check(steps)).filter(({ outcome }) => outcome === "fail");
        expect(failing).not.toEqual([]);
        if (!tells(name)) return;
        const told = failing.filter(({ explanations = [] }) => explanations.flat().includes(name));
        expect(told.length).toBeGreaterThan(0);
      },
    );
  });
}
