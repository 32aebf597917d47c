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
