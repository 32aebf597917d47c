import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { type AnyCase, type CaseResult, checkCase, selectCases } from "@heed/conformance";
import type { AttentionProvider } from "@heed/core";
import { describe, expect, test } from "vitest";
import { peer } from "../src/index.js";

/** Something that a project gets wrong, by the suite's measure. */
interface Defect {
  readonly what: string;
  /** Whether a failing case fails because of it. */
  readonly explains: ((result: CaseResult) => boolean) | null;
  /** A file of `reproductions`, which needs nothing but the library. */
  readonly reproduction: string;
}

interface Project {
  readonly title: string;
  readonly packageName: string;
  readonly provider: AttentionProvider;
  readonly adapter: string;
  readonly defects: readonly Defect[];
  /** Small cases that it passes at least. */
  readonly passes: number;
}

const poisoned = ({ id }: CaseResult): boolean =>
  /poison|hidden-(keys|NaN|infinity|large)/.test(id);
const emptyRow = (result: CaseResult): boolean =>
  !poisoned(result) && result.failures.some((failure) => failure.includes("sees no key"));

/** onnxruntime-web is last: it puts Node's Worker on the global object, and jax-js falls for it. */
const projects: readonly Project[] = [
  {
    title: "@jax-js/jax, nn.dotProductAttention on wasm",
    packageName: "@jax-js/jax",
    provider: peer("jax-js"),
    adapter: "jax",
    passes: 30,
    defects: [
      {
        what: "A query that may see no key gets NaN, by whichever rule: mask, bias of −∞, `keyValueSeqLengths`, `isCausal` with a window.",
        explains: emptyRow,
        reproduction: "jax-empty-row.js",
      },
      {
        what: "A value past `keyValueSeqLengths`, or hidden by a mask, `isCausal` or `localWindowSize`, is multiplied by a weight of 0: NaN there reaches every row.",
        explains: poisoned,
        reproduction: "jax-hidden-nan.js",
      },
    ],
  },
  {
    title: "TensorFlow.js, composed by hand with a mask of −10⁹",
    packageName: "@tensorflow/tfjs-core",
    provider: peer("tfjs"),
    adapter: "tfjs",
    passes: 30,
    defects: [
      {
        what: "A query that may see no key gets an average of the keys that are hidden from it. (At 10⁹ float32 numbers are 64 apart, so that the scores are gone too.)",
        explains: emptyRow,
        reproduction: "tfjs-minus-1e9.js",
      },
      {
        what: "A hidden value is multiplied by a weight of 0, so that NaN in it reaches every row; and a hidden key is not hidden if its score is of the order of 10⁹.",
        explains: poisoned,
        reproduction: "tfjs-minus-1e9.js",
      },
    ],
  },
  {
    title: "@ruvector/attention, DotProductAttention",
    packageName: "@ruvector/attention",
    provider: peer("ruvector"),
    adapter: "ruvector",
    // It has no bias, no softcap, and no size of the values' own.
    passes: 20,
    defects: [
      {
        what: "A query that may see no key gets NaN.",
        explains: emptyRow,
        reproduction: "ruvector-empty-row.js",
      },
      {
        what: "A hidden value is multiplied by a weight of 0: NaN or ∞ there reaches the row.",
        explains: poisoned,
        reproduction: "ruvector-hidden-nan.js",
      },
    ],
  },
  {
    title: "onnxruntime-web, the operator Attention on wasm",
    packageName: "onnxruntime-web",
    provider: peer("ort-web/attention"),
    adapter: "onnxruntime",
    passes: 30,
    defects: [
      {
        what: "A value past `nonpad_kv_seqlen`, or hidden by a mask or `is_causal`, is multiplied by a weight of 0: NaN or ∞ in unused slots of a cache reaches every row.",
        explains: poisoned,
        reproduction: "ort-attention-hidden-nan.js",
      },
      {
        what: "A query whose every bias is the lowest float32 gets 0, as if it saw no key; the number is finite, and added to scores it leaves the average of the values.",
        explains: ({ id }) => id.includes("finfo-min"),
        reproduction: "ort-attention-lowest-bias.js",
      },
      {
        what: "No session is made for a `scale` of 0 or below, which the operator's specification does not forbid. (The adapter refuses such a problem.)",
        explains: null,
        reproduction: "ort-attention-scale.js",
      },
    ],
  },
];

/** Small cases of all kinds: the peers are slow, and large cases show nothing more. */
function smallCases(): AnyCase[] {
  return selectCases({ vectors: false }).filter((c) => {
    if (!("spec" in c)) return c.id === "laws/hidden-keys-changed";
    const { batch = 1, queryHeads = 2, queryLength, keyLength = queryLength } = c.spec;
    const small = batch * queryHeads * queryLength * keyLength < 2500;
    return small || c.id.startsWith("masks/pair-causal-");
  });
}

/** Sections of the page of findings, one list for each project. */
const sections: string[][] = [];

describe.each(projects.map((project) => [project.title, project] as const))("%s", (_, project) => {
  const { title, packageName, provider, adapter, defects, passes } = project;

  test("fails what is known of it, and nothing else", { timeout: 120_000 }, async () => {
    const backend = await provider.load();
    const results: CaseResult[] = [];
    for (const c of smallCases()) results.push(await checkCase({ backend, provider }, c));
    backend.dispose();
    const failing = results.filter(({ outcome }) => outcome === "fail");
    const passing = results.filter(({ outcome }) => outcome === "pass");
    expect(passing.length).toBeGreaterThan(passes);
    const unexplained = failing.filter(
      (result) => defects.filter(({ explains }) => explains?.(result)).length !== 1,
    );
    expect(unexplained.map(({ id, failures }) => [id, failures])).toEqual([]);

    const manifest = new URL(`../node_modules/${packageName}/package.json`, import.meta.url);
    const { version } = JSON.parse(await readFile(manifest, "utf8"));
    const parts: string[] = [];
    for (const { what, explains, reproduction } of defects) {
      const cases = failing.filter((result) => explains?.(result));
      if (explains) expect(cases, what).not.toEqual([]);
      parts.push(await section(what, cases, adapter, reproduction));
    }
    sections.push([`## ${title}, ${version}`, ...parts]);
  });
});

/** A defect with the script that shows it, and what the script prints. */
async function section(
  what: string,
  cases: readonly CaseResult[],
  adapter: string,
  reproduction: string,
): Promise<string> {
  const file = new URL(`../reproductions/${reproduction}`, import.meta.url);
  const source = await readFile(file, "utf8");
  const { stdout } = await promisify(execFile)(process.execPath, [file.pathname]);
  const [example] = cases;
  return [
    `${what}${example ? ` ${cases.length} of the small cases fail for it, such as:` : ""}`,
    ...(example
      ? [
          `\`\`\`sh\npnpm conformance --backend packages/peers/dist/modules/${adapter}.js --case ${example.id}\n\`\`\``,
        ]
      : []),
    `\`node packages/peers/reproductions/${reproduction}\`:`,
    `\`\`\`js\n${source.trim()}\n\`\`\``,
    `\`\`\`\n${withoutBanner(stdout)}\n\`\`\``,
  ].join("\n\n");
}

/** The output without the banner that TensorFlow.js prints in Node. */
function withoutBanner(output: string): string {
  return output
    .split("\n")
    .filter((line) => !/^=+$|running TensorFlow\.js in Node/.test(line))
    .join("\n")
    .trim();
}

test("the page of other people's implementations says so", async ({ skip }) => {
  if (sections.length < projects.length) return skip("only some of the tests ran");
  const page = [
    "# What the suite finds in other people's implementations",
    "Each through an adapter that calls it as its documentation says and refuses what it does not offer (`packages/peers`). Everything below was run: this page is written by `packages/peers/test/findings.node.test.ts`, which fails where it is no longer true.",
    ...sections.flat(),
  ];
  await expect(`${page.join("\n\n")}\n`).toMatchFileSnapshot("../../../docs/others.md");
});
