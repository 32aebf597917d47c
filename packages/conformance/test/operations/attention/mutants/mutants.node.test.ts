import { readFileSync } from "node:fs";
import { type AnyCase, checkCase, type Profile, selectCases } from "@heed/conformance";
import {
  type AttentionBackend,
  type AttentionProvider,
  defineBackend,
  implement,
} from "@heed/core";
import { describe, expect, test } from "vitest";
import { catalogue } from "../../../../src/operations/attention/mistakes/index.js";
import {
  type PublishedName,
  published,
} from "../../../../src/operations/attention/mistakes/published.js";
import { operationSuites } from "../../../../src/operations/index.js";
import { backendOf, mutantOf, right } from "./backend.js";
import { conductMutants } from "./conduct.js";
import { backendWithMemory, memoryMutants } from "./memory.js";

/** The page that this test writes. */
const pagePath = "../../../../../../docs/mutants.md";

/** Killers that are enough to say by what a mutant is killed. */
const enough = 2;

interface Killed {
  readonly name: string;
  readonly published: PublishedName | undefined;
  readonly profile: Profile;
  readonly by: readonly string[];
}

const mutants = [
  ...catalogue().flatMap((mistake) => {
    const { name, published, mutant: profile } = mistake;
    return profile ? [{ name, published, profile, provider: () => mutantOf(mistake) }] : [];
  }),
  ...conductMutants,
  ...memoryMutants,
];
const report: Killed[] = [];

/** Mistakes of the other operations, each planted into a backend of that operation alone. */
const ofOperations = Object.entries(operationSuites).flatMap(([name, { operation, planted }]) =>
  planted.map((mistake) => ({ ...mistake, operation, profile: name as Profile })),
);
const operationReport: Killed[] = [];

/**
 * A case's approximate cost in multiply-adds: small cases kill mutants as well as large ones. A law that is broken
 * shrinks its failure, and costs more than any call.
 */
function cost(c: AnyCase): number {
  if ("run" in c) return Number.MAX_VALUE;
  if (!("spec" in c)) return 0;
  const { batch = 1, queryHeads = 2, queryLength, keyLength = queryLength, headDim = 16 } = c.spec;
  return batch * queryHeads * queryLength * keyLength * headDim;
}

/** Killers of each mutant as the page has them, by profile of an operation and name; "" for attention. */
function readPage(): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, readonly string[]>();
  let operation = "";
  for (const line of readFileSync(new URL(pagePath, import.meta.url), "utf8").split("\n")) {
    operation = /^## The operation (\w+)/.exec(line)?.[1] ?? operation;
    const [, name, by] = /^\| (.+) \| (`.+`) \|$/.exec(line) ?? [];
    if (name && by) found.set(`${operation} ${name}`, by.slice(1, -1).split("`, `"));
  }
  return found;
}

const known = readPage();

/**
 * Cases of a profile that a backend fails: those that the page names, if it still fails all of them, since
 * they are quick to try; otherwise the first ones, the cheap ones first.
 */
async function killers(
  provider: AttentionProvider,
  profile: Profile,
  named: readonly string[] = [],
): Promise<string[]> {
  const backend = await provider.load();
  const cases = selectCases({ profile }).sort((a, b) => cost(a) - cost(b));
  const before = cases.filter(({ id }) => named.includes(id));
  if (before.length === named.length && before.length > 0) {
    const found = await failing(backend, provider, before);
    if (found.length === named.length) return [...named];
  }
  return failing(backend, provider, cases);
}

/** The first cases that a backend fails. */
async function failing(
  backend: AttentionBackend,
  provider: AttentionProvider,
  cases: readonly AnyCase[],
): Promise<string[]> {
  const found: string[] = [];
  for (const c of cases) {
    const { id, outcome, failures } = await checkCase({ backend, provider }, c);
    // For its numbers or its conduct, not because the mutant itself is broken.
    expect(failures.join(), id).not.toMatch(/TypeError|ReferenceError|RangeError/);
    if (outcome === "fail") found.push(id);
    if (found.length === enough) break;
  }
  return found;
}

describe("the suite kills a backend in which", () => {
  test.each(mutants.map((mutant) => [mutant.name, mutant] as const))("%s", async (_, mutant) => {
    const { name, published, profile, provider } = mutant;
    const by = await killers(provider(), profile, known.get(` ${name}`));
    expect(by).not.toEqual([]);
    report.push({ name, published, profile, by });
  });
});

describe("the suite kills a backend of another operation in which", () => {
  test.each(ofOperations.map((mutant) => [mutant.profile, mutant.name, mutant] as const))(
    "%s: %s",
    async (profile, name, { operation, evaluate }) => {
      const provider = defineBackend<null>({
        name: "mutant",
        load: () => null,
        info: () => ({ runtime: "JavaScript", device: "CPU", features: [], threads: 1 }),
        operations: {
          [operation.name]: implement(operation, {
            plan: () => ({
              description: { kernel: "mutant", tiles: {}, workspaceBytes: 0, dispatches: 1 },
              run: (bound) => evaluate(bound.inputs as never, bound),
            }),
          }),
        },
      });
      const by = await killers(
        provider as unknown as AttentionProvider,
        profile,
        known.get(`${profile} ${name}`),
      );
      expect(by).not.toEqual([]);
      operationReport.push({ name, published: undefined, profile, by });
    },
  );
});

test.each([
  ["backend", backendOf(async (problem, inputs) => right(problem, inputs))],
  ["backend with memory", backendWithMemory()],
])("no case that kills a mutant fails the same %s without a bug", async (_, provider) => {
  const backend = await provider.load();
  const ids = new Set(report.flatMap(({ by }) => by));
  for (const c of selectCases().filter(({ id }) => ids.has(id))) {
    const { outcome, failures } = await checkCase({ backend, provider }, c);
    expect.soft([c.id, outcome, failures]).toEqual([c.id, "pass", []]);
  }
});

test("the page of mutants says by which cases", async ({ skip }) => {
  const all = mutants.length + ofOperations.length;
  if (report.length + operationReport.length < all) return skip("only some of the mutants ran");
  await expect(page(report)).toMatchFileSnapshot(pagePath);
});

test("each published bug has a mutant", () => {
  const modelled = new Set(mutants.map((mutant) => mutant.published));
  expect(Object.keys(published).filter((name) => !modelled.has(name as PublishedName))).toEqual([]);
});

function rowsOf(killed: readonly Killed[]): string[] {
  return [
    "| A backend in which … | is killed by |",
    "| --- | --- |",
    ...killed.map(({ name, by }) => `| ${name} | ${by.map((id) => `\`${id}\``).join(", ")} |`),
  ];
}

/** A part of the page for each operation beside attention. */
function operationParts(): string[] {
  return Object.keys(operationSuites).flatMap((operation) => {
    const own = operationReport.filter(({ profile }) => profile === operation);
    return [`## The operation ${operation}`, "", `${own.length} bugs.`, "", ...rowsOf(own), ""];
  });
}

function page(killed: readonly Killed[]): string {
  const bugs = Object.entries(published).map(([key, { name, link, what }]) => {
    const models = killed.filter((mutant) => mutant.published === key);
    return `| [${name}](${link}) | ${what} | ${models.map((mutant) => mutant.name).join("; ")} |`;
  });
  return `${[
    "# Mutants",
    "",
    `Is the suite strong enough? ${killed.length} bugs, each planted alone into a backend that is right, and ${enough} cases of a profile that fail because of it, if there are as many. This page is written by \`test/mutants\` (\`vitest -u\`).`,
    "",
    ...rowsOf(killed),
    "",
    ...operationParts(),
    "## Bugs that were shipped",
    "",
    "Some of the mutants are modelled on bugs that other projects shipped.",
    "",
    "| bug | what was wrong | modelled by |",
    "| --- | --- | --- |",
    ...bugs,
  ].join("\n")}\n`;
}
